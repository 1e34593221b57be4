// SPDX-License-Identifier: Apache-2.0
//
// Several remotes for one service: a comma-separated list, tried in order.

internal import Logging
package import NIOCore
package import Streams

/// The remotes of a command line, in order.
package struct Remotes: Sendable {
  package let methods: [ConnectionMethod]
  /// The cluster the server must belong to (`cid:UUID`).
  package let clusterID: String?

  /// Parses a list.
  ///
  /// Shape: `REMOTE,REMOTE,...` where one may be `cid:UUID`. A comma separates only before a word with a colon: addresses
  /// and paths may hold commas.
  package init(_ text: String) {
    self.init(text) { ConnectionMethod.parseForClient($0) }
  }

  /// Parses a list of servers that a server follows.
  ///
  /// - Throws: `ConnectionMethod.Refusal` for a name that cannot work or may not come from its origin.
  package init(sources text: String, origin: ConnectionMethod.Origin) throws(ConnectionMethod.Refusal) {
    try self.init(text) { (name) throws(ConnectionMethod.Refusal) in try ConnectionMethod.parse(source: name, origin: origin) }
  }

  private init<Failure: Error>(_ text: String, parse: (String) throws(Failure) -> ConnectionMethod) throws(Failure) {
    var names: [String] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: true) {
      if !names.isEmpty, !part.contains(":") {
        names[names.count - 1] += ",\(part)"
      } else {
        names.append(String(part))
      }
    }
    var methods: [ConnectionMethod] = []
    var clusterID: String?
    for name in names {
      if ConnectionMethod.hasScheme(name, "cid") {
        clusterID = String(name.dropFirst(4))
      } else {
        methods.append(try parse(name))
      }
    }
    self.methods = methods
    self.clusterID = clusterID
  }
}

extension ClientSession {
  /// Tries remotes in order until one is connected and suits. Of one that does not suit the log says "connection attempt
  /// timed out": what users of these programs see.
  ///
  /// - Parameters:
  ///   - suits: looks at a fresh session; one that does not suit is closed.
  /// - Returns: nil when none was connected and suited.
  package static func first(
    of methods: [ConnectionMethod], on loop: any EventLoop, rundir: String,
    suits: @Sendable (ClientSession) async -> Bool
  ) async -> ClientSession? {
    for method in methods {
      guard let session = await announcedOpen(method, on: loop, rundir: rundir) else { continue }
      if await suits(session) { return session }
      await session.close()
      Log.reconnect.info("\(method.name): connection attempt timed out")
    }
    return nil
  }

  /// One attempt, with the log lines of the module `reconnect`.
  package static func announcedOpen(
    _ method: ConnectionMethod, on loop: any EventLoop, rundir: String, isAnnounced: Bool = true
  ) async -> ClientSession? {
    let level: Logger.Level = isAnnounced ? .info : .debug
    Log.reconnect.log(level: level, "\(method.name): \(method.isPassive ? "listening" : "connecting")...")
    do {
      let session = try await open(
        method, on: loop, rundir: rundir, probeIntervalMilliseconds: method.defaultProbeIntervalMilliseconds,
        logsClosing: true)
      Log.reconnect.info("\(method.name): connected")
      return session
    } catch {
      let attempt = method.isPassive ? "listen attempt" : "connection attempt"
      Log.reconnect.log(level: level, "\(method.name): \(attempt) failed (\(error))")
      return nil
    }
  }

  /// Tries remotes in turn, with growing pauses, until one is connected.
  ///
  /// - Throws: `CancellationError` when the task is cancelled.
  package static func persistentlyOpen(
    _ methods: [ConnectionMethod], on loop: any EventLoop, rundir: String, backoff: inout Backoff
  ) async throws -> ClientSession {
    while true {
      for method in methods {
        if let session = await announcedOpen(method, on: loop, rundir: rundir, isAnnounced: backoff.isAnnounced) {
          return session
        }
        let pause = backoff.failed(isPassive: method.isPassive)
        if let announcement = pause.announcement { Log.reconnect.info("\(method.name): \(announcement)") }
        try await Task.sleep(for: .milliseconds(pause.milliseconds))
      }
    }
  }
}
