// SPDX-License-Identifier: Apache-2.0
//
// TLS made ready: settings (TLSSettings.swift) become what a handshake needs (TLSHandshake.swift), read anew from their files when
// these change.

internal import Files
import Glibc
internal import Logging
package import NIOCore
internal import NIOSSL
import Synchronization

/// What `pssl:` and `ssl:` methods use. A process usually has one, `shared`, which its command line configures.
///
/// Files are looked at before each connection and read when they are others than before, so replacing them needs no restart. While
/// new files do not fit together (a new key beside the old certificate) the old ones stay in use; a connection that is established
/// is never touched.
package final class TLSContext: Sendable {
  /// The one that listeners and dialling use unless they are given another.
  package static let shared = TLSContext()

  /// What one handshake is made with.
  struct Prepared: Sendable {
    /// For connections that we open. Those that come get one each: TLSHandshake.swift.
    let context: NIOSSLContext
    let policy: TLSPolicy
    let report: TLSCertificateReport
    /// When the files are to be read again although they have not changed, in seconds since 1970.
    let soundUntil: time_t
    /// Where the CA certificate that the peer sends is to be stored; the connection itself then serves for nothing else.
    let learnedAuthority: String?
    let serverName: String?
    let handshakeTimeout: TimeAmount
  }

  private struct Loaded {
    let settings: TLSSettings
    let stamps: [FileStamp?]
    let prepared: Prepared
  }

  private struct State {
    var settings = TLSSettings()
    var loaded: Loaded?
    /// Those of files that were tried in vain, so that they are not tried for each connection.
    var futileStamps: [FileStamp?]?
    var logsCertificates = false
  }

  private let state = Mutex(State())
  private let handshakeTimeout: TimeAmount
  private let clock: @Sendable () -> time_t

  /// - Parameters:
  ///   - handshakeTimeout: after which a connection is dropped whose peer has not finished the handshake.
  ///   - clock: the time of day by which connections end whose certificates run out, in seconds since 1970.
  package init(
    _ settings: TLSSettings = TLSSettings(), handshakeTimeout: TimeAmount = .seconds(30),
    clock: @escaping @Sendable () -> time_t = { time(nil) }
  ) {
    self.handshakeTimeout = handshakeTimeout
    self.clock = clock
    state.withLock { $0.settings = settings }
  }

  package var settings: TLSSettings { state.withLock { $0.settings } }

  /// Sets what connections from now on use, and tells the log what is wrong with it.
  ///
  /// - Parameter mayWait: whether to wait for pipes among the files, for at most a minute: as a program starts, and not on an event loop
  ///   that serves.
  package func configure(_ settings: TLSSettings, mayWait: Bool = false) {
    let isNews = state.withLock { state in
      guard state.settings != settings else { return false }
      state.settings = settings
      state.futileStamps = nil
      return true
    }
    // Nothing at all is no mistake as long as nobody connects.
    guard isNews, !settings.files.isEmpty, settings.privateKey != nil else { return }
    do throws(StreamError) {
      _ = try prepared(mayWait ? .ample : .none)
    } catch {
      Log.streamSSL.debug("TLS is not ready: \(error)")
    }
  }

  // MARK: - Reports

  /// Has the log say from now on which certificates are in use, whenever others are: for servers.
  package func logCertificates() { state.withLock { $0.logsCertificates = true } }

  /// Logs which of the certificates in use run out within 30 days. For a server that runs for long, to call now and then.
  package func warnOfExpiry() {
    guard state.withLock({ $0.loaded != nil }), let current = try? prepared() else { return }
    for line in current.report.warnings(at: clock()) { Log.streamSSL.warning("\(line)") }
  }

  /// Why there can be no connection, in words; nil when all that it takes is there.
  package var problem: String? {
    do throws(StreamError) {
      _ = try prepared()
      return nil
    } catch {
      return error.description
    }
  }

  /// Logs that whoever connects to a listener will be refused, which otherwise the first client would bring to light.
  func announce(listener name: String, _ limit: Logger.Metadata?) {
    guard problem != nil else { return }
    Log.streamSSL.warning(
      "\(name): nobody can connect before private key, certificate and CA certificate are there and can be used", metadata: limit)
  }

  private func log(_ report: TLSCertificateReport) {
    for line in report.summary { Log.streamSSL.info("\(line)") }
    for line in report.warnings(at: clock()) { Log.streamSSL.warning("\(line)") }
  }

  // MARK: - Loading

  /// - Throws: ENOPROTOOPT, after the log was told what is missing.
  func prepared(_ patience: InputFile.Patience = .none) throws(StreamError) -> Prepared {
    let result: Result<Prepared, StreamError> = state.withLock { state in
      do throws(StreamError) {
        return .success(try prepared(&state, patience))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  private func prepared(_ state: inout State, _ patience: InputFile.Patience) throws(StreamError) -> Prepared {
    let settings = state.settings
    let stamps = settings.files.map(FileStamp.init(path:))
    let current = state.loaded.flatMap { $0.settings == settings ? $0 : nil }
    let isSound = current.map { $0.stamps == stamps && clock() <= $0.prepared.soundUntil } ?? false
    if let current, isSound || state.futileStamps == stamps { return current.prepared }
    do throws(TLSLoader.Failure) {
      let loader = TLSLoader(settings: settings, patience: patience, clock: clock)
      let prepared = try loader.load(handshakeTimeout: handshakeTimeout)
      state.loaded = Loaded(settings: settings, stamps: stamps, prepared: prepared)
      state.futileStamps = nil
      if state.logsCertificates { log(prepared.report) }
      return prepared
    } catch {
      // Once, and not for each connection that fails for it.
      if state.futileStamps != stamps {
        for message in error.messages { Log.streamSSL.error("\(message)") }
      }
      state.futileStamps = stamps
      guard let current else {
        throw StreamError(errnoCode: ENOPROTOOPT, words: "TLS is not set up: \(error.messages.joined(separator: "; "))")
      }
      Log.streamSSL.warning("TLS files changed but cannot be used; those read before stay in use")
      return current.prepared
    }
  }
}

/// Which contents a file has, as far as one can tell without reading it.
private struct FileStamp: Equatable {
  let device: dev_t
  let inode: ino_t
  let size: off_t
  let seconds: time_t
  let nanoseconds: Int

  init?(path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    device = status.st_dev
    inode = status.st_ino
    size = status.st_size
    // A pipe gives its bytes once, to whoever reads it first; that they were written is no reason to read it again.
    guard status.st_mode & S_IFMT != S_IFIFO else {
      (seconds, nanoseconds) = (0, 0)
      return
    }
    seconds = status.st_mtim.tv_sec
    nanoseconds = status.st_mtim.tv_nsec
  }
}
