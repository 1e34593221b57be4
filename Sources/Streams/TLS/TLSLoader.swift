// SPDX-License-Identifier: Apache-2.0
//
// From settings to a context of the TLS library: files are read, certificates and keys parsed and matched.

internal import Files
import Glibc
internal import Logging
internal import NIOCore
internal import NIOSSL

/// Makes what TLSContext.swift keeps.
struct TLSLoader {
  let settings: TLSSettings
  /// For files that are pipes.
  let patience: InputFile.Patience
  let clock: @Sendable () -> time_t

  /// Why there is no TLS with these settings.
  struct Failure: Error {
    /// Each a line of the log.
    let messages: [String]

    init(_ messages: String...) { self.messages = messages }

    init(_ messages: [String]) { self.messages = messages }
  }

  func load(handshakeTimeout: TimeAmount) throws(Failure) -> TLSContext.Prepared {
    let (privateKey, certificate, authority) = try required()
    guard let level = TLSSecurityLevel(ciphers: settings.ciphers ?? "") else {
      throw Failure("\(settings.ciphers ?? ""): invalid command")
    }
    var configuration = TLSConfiguration.makeClientConfiguration()
    setProtocols(&configuration)
    try setCiphers(&configuration, level)
    configuration.curves = level.groups
    configuration.signingSignatureAlgorithms = level.signatures
    configuration.verifySignatureAlgorithms = level.signatures
    configuration.privateKey = .privateKey(try loadKey(privateKey))
    var chain = try certificates(in: certificate, what: "certificate")
    try check(chain, in: certificate, what: "certificate", level)
    var report = TLSCertificateReport()
    report.add(chain, kind: "certificate", path: certificate)
    if let path = settings.peerAuthority {
      let sent = try certificates(in: path, what: "peer CA certificate")
      try check(sent, in: path, what: "peer CA certificate", level)
      chain += sent
    }
    // Whom a name belongs to is decided by the CA and, for servers, by who connects where: host names are not compared.
    configuration.certificateVerification = .noHostnameVerification
    configuration.sendCANameList = true
    var learnedAuthority: String?
    var soundUntil = time_t.max
    switch authority {
    case .unchecked:
      Log.streamSSL.warning("Peer certificate validation disabled (this is a security risk)")
      configuration.certificateVerification = .none
    case .bootstrap(let path) where access(path, F_OK) != 0 && errno == ENOENT:
      learnedAuthority = path
      configuration.trustRoots = .certificates([])
    case .file(let path), .bootstrap(let path):
      let holding = TLSAuthorities(try certificates(in: path, what: "CA certificates"), at: clock())
      let authorities = holding.certificates
      soundUntil = holding.soundUntil
      warn(of: authorities, in: path)
      report.add(authorities, kind: "CA certificate", path: path)
      configuration.trustRoots = .certificates(authorities)
      Self.complete(&chain, from: authorities)
    }
    configuration.certificateChain = chain.map { .certificate($0) }
    do {
      return TLSContext.Prepared(
        context: try NIOSSLContext(configuration: configuration),
        policy: TLSPolicy(level: level, expiryGrace: settings.expiryGrace, clock: clock), report: report,
        soundUntil: soundUntil, learnedAuthority: learnedAuthority, serverName: settings.serverName, handshakeTimeout: handshakeTimeout)
    } catch NIOSSLError.failedToLoadPrivateKey {
      throw Failure("Private key \(privateKey) does not match certificate public key in \(certificate)")
    } catch NIOSSLError.failedToLoadCertificate {
      throw Failure("cannot use certificate \(certificate): it may be that its key usage does not include digital signatures")
    } catch {
      throw Failure(
        "cannot use certificate \(certificate) with its key: \(TLSErrorText.words(error))")
    }
  }

  /// What there must be for any handshake.
  private func required() throws(Failure) -> (privateKey: String, certificate: String, TLSSettings.Authority) {
    if let privateKey = settings.privateKey, let certificate = settings.certificate, let authority = settings.authority {
      return (privateKey, certificate, authority)
    }
    let missing = [
      (settings.privateKey == nil, "Private key"), (settings.certificate == nil, "Certificate"),
      (settings.authority == nil, "CA certificate"),
    ]
    throw Failure(missing.filter(\.0).map { "\($0.1) must be configured to use SSL" })
  }

  // MARK: - Options

  /// A mistake leaves the default in place: a server that nobody can reach would help nobody, and the default is safe.
  private func setProtocols(_ configuration: inout TLSConfiguration) {
    var chosen = TLSProtocols.all
    if let text = settings.protocols {
      do throws(TLSProtocols.Complaint) {
        let parsed = try TLSProtocols.parse(text)
        chosen = parsed.protocols
        for warning in parsed.warnings { Log.streamSSL.warning("\(warning)") }
      } catch {
        for message in error.messages { Log.streamSSL.error("\(message)") }
      }
    }
    configuration.minimumTLSVersion = chosen.oldest
    configuration.maximumTLSVersion = chosen.newest
  }

  /// Unlike protocols, a cipher string without any suite of ours is no mistake to pass over: it may be there to keep weak ones out.
  private func setCiphers(_ configuration: inout TLSConfiguration, _ level: TLSSecurityLevel) throws(Failure) {
    // Without SHA-1 in CBC mode; a cipher string may bring it back for old peers.
    let ciphers = TLSCipher.selected(by: settings.ciphers ?? "ECDHE+AESGCM:ECDHE+CHACHA20:AESGCM").filter(level.admits)
    guard !ciphers.isEmpty else {
      throw Failure("\(settings.ciphers ?? ""): no cipher match")
    }
    guard level.admitsTLS13 || configuration.maximumTLSVersion == .tlsv12 else {
      throw Failure(
        "\(settings.ciphers ?? ""): security level \(level.number) takes --ssl-protocols=TLSv1.2, as the TLS library cannot do without "
          + "TLS_AES_128_GCM_SHA256 in TLS 1.3")
    }
    configuration.cipherSuites = ciphers.map(\.name).joined(separator: ":")
    guard let text = settings.ciphersuites else { return }
    let names = text.split(separator: ":").map(String.init)
    let unknown = names.filter { !TLSCipher.ciphersuites.contains($0) }
    guard unknown.isEmpty, !names.isEmpty else { throw Failure("\(text): no TLS 1.3 cipher match") }
    if Set(names) != Set(TLSCipher.ciphersuites) {
      Log.streamSSL.warning("\(text): the TLS library has all suites of TLS 1.3 enabled always")
    }
  }

  /// Completes a certificate that stands alone with those of the CAs above it, as far as our own CA file has them: a peer that
  /// bootstraps learns the CA from what we send.
  private static func complete(_ chain: inout [NIOSSLCertificate], from authorities: [NIOSSLCertificate]) {
    guard chain.count == 1, let leaf = chain.first, var last = CertificateName(leaf) else { return }
    var candidates = authorities.compactMap { authority in CertificateName(authority).map { (authority, $0) } }
    while !last.isSelfIssued, let next = candidates.firstIndex(where: { last.isIssued(by: $0.1) }) {
      let (authority, name) = candidates.remove(at: next)
      chain.append(authority)
      last = name
    }
  }

  // MARK: - Strength

  /// Refuses certificates of ours that no peer should take.
  private func check(
    _ certificates: [NIOSSLCertificate], in path: String, what: String, _ level: TLSSecurityLevel
  ) throws(Failure) {
    for (position, certificate) in certificates.enumerated() {
      guard let der = try? certificate.toDERBytes(), let name = CertificateName(der: der), let strength = CertificateStrength(der: der)
      else { throw Failure("failed to load \(what) from \(path): a certificate in it cannot be read") }
      guard position == 0 ? strength.key.isForHandshakes : strength.key.isSupported else {
        throw Failure("failed to load \(what) from \(path): keys of type \(strength.key.name) are not supported")
      }
      if let objection = level.objection(to: strength, isTrusted: name.isSelfIssued) {
        throw Failure("failed to load \(what) from \(path): certificate \(name.subject): \(objection)")
      }
    }
  }

  /// Names CAs in vain. There may be others beside them.
  private func warn(of authorities: [NIOSSLCertificate], in path: String) {
    for authority in authorities {
      guard let der = try? authority.toDERBytes(), let key = CertificateStrength(der: der)?.key, !key.isSupported else { continue }
      let subject = CertificateName(der: der)?.subject ?? "?"
      Log.streamSSL.warning("CA certificate \(subject) in \(path): keys of type \(key.name) are not supported, so it vouches for nobody")
    }
  }

  // MARK: - Files

  private func loadKey(_ path: String) throws(Failure) -> NIOSSLPrivateKey {
    let bytes = try contents(of: path, what: "private key")
    do {
      return try NIOSSLPrivateKey(bytes: bytes, format: .pem)
    } catch {
      throw Failure("failed to load private key from \(path): \(PrivateKeyKind.objection(to: bytes))")
    }
  }

  private func certificates(in path: String, what: String) throws(Failure) -> [NIOSSLCertificate] {
    let bytes = try contents(of: path, what: what)
    do {
      let certificates = try NIOSSLCertificate.fromPEMBytes(bytes)
      if !certificates.isEmpty { return certificates }
    } catch where PEMText.body("CERTIFICATE", in: bytes) != nil {
      throw Failure("failed to load \(what) from \(path): a certificate in it cannot be read")
    } catch {
      Log.streamSSL.debug("\(path): \(TLSErrorText.words(error))")
    }
    throw Failure("failed to load \(what) from \(path): no PEM certificate")
  }

  /// No collection of certificates comes near this.
  private static let fileBytesMax = 4 << 20

  private func contents(of path: String, what: String) throws(Failure) -> [UInt8] {
    do throws(InputFileError) {
      return Self.withoutByteOrderMarks(try InputFile.read(path, bytesMax: Self.fileBytesMax, patience: patience))
    } catch {
      throw Failure("failed to load \(what) from \(path): \(error)")
    }
  }

  /// Editors of other systems put a byte order mark before the first line; concatenated files have it before later ones.
  private static func withoutByteOrderMarks(_ bytes: [UInt8]) -> [UInt8] {
    let mark: [UInt8] = [0xef, 0xbb, 0xbf]
    guard bytes.contains(mark[0]) else { return bytes }
    var result: [UInt8] = []
    var rest = bytes[...]
    while let position = rest.firstIndex(of: mark[0]) {
      result += rest[..<position]
      rest = rest[position...]
      let isMark = rest.starts(with: mark) && rest.dropFirst(mark.count).starts(with: "-----BEGIN".utf8)
      if !isMark { result.append(mark[0]) }
      rest = rest.dropFirst(isMark ? mark.count : 1)
    }
    return result + rest
  }
}

extension CertificateName {
  /// - Returns: nil for a certificate that cannot be taken apart.
  init?(_ certificate: NIOSSLCertificate) {
    guard let bytes = try? certificate.toDERBytes() else { return nil }
    self.init(der: bytes)
  }
}
