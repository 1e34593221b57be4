// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Testing

@testable import Streams

/// Certificates that openssl(1) made.
private struct Certificates {
  let directory: ScratchDirectory

  init() throws {
    directory = try ScratchDirectory()
    try sh("openssl req -x509 \(Self.key) -keyout cakey -out ca -days 2 -subj /O=Test/CN=ca")
    try issue("server", "/CN=server")
  }

  private static let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"

  func path(_ name: String) -> String { "\(directory.path)/\(name)" }

  /// - Parameter options: of openssl-req(1), beside the subject.
  func issue(_ name: String, _ subject: String, _ options: String = "") throws {
    try sh(
      "openssl req -new \(Self.key) \(options) -keyout \(name)-key -out csr -subj '\(subject)' && "
        + "openssl x509 -req -in csr -CA ca -CAkey cakey -set_serial \(UInt32.random(in: 1...UInt32.max)) -days 2 -out \(name)")
  }

  /// A certificate that signs itself.
  ///
  /// - Parameter options: of openssl-ca(1): the dates.
  func sign(_ name: String, _ subject: String, _ options: String) throws {
    try sh("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out \(name)-key")
    try renew(name, as: name, subject, options)
  }

  /// Signs another certificate for a key by itself.
  func renew(_ keyName: String, as name: String, _ subject: String, _ options: String) throws {
    let dates = options.replacing("-not_before", with: "-startdate").replacing("-not_after", with: "-enddate")
    let configuration = "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\n"
    try sh(
      "openssl req -new -key \(keyName)-key -out csr -subj '\(subject)' && : >index && printf '\(configuration)' >conf && "
        + "openssl ca -batch -notext -preserveDN -selfsign -config conf -keyfile \(keyName)-key -in csr -subj '\(subject)' -out \(name) \(dates)")
  }

  private func sh(_ command: String) throws {
    guard system("cd \(directory.path) && { \(command); } >log 2>&1") == 0 else { throw StreamError(errnoCode: EIO) }
  }

  func settings(_ name: String, authority: String = "ca") -> TLSSettings {
    TLSSettings(
      privateKey: path("\(name)-key"), certificate: path(name), authority: path(authority), bootstraps: false, peerAuthority: nil,
      protocols: nil, ciphers: nil, ciphersuites: nil, serverName: nil)
  }

  func name(_ file: String) throws -> CertificateName? {
    CertificateName(try NIOSSLCertificate.fromPEMFile(path(file))[0])
  }
}

/// Closes a channel whose other side has no more to say.
private final class ClosingAtTheEnd: ChannelInboundHandler {
  typealias InboundIn = NIOAny

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
  }
}

@Suite struct TLSConnectionTests {
  private let group = MultiThreadedEventLoopGroup.singleton

  private func listen(
    _ tls: TLSContext, _ accept: @escaping @Sendable (Accepted) throws -> Void
  ) throws -> (Listener, ConnectionMethod) {
    let listener = try Listener.open(
      ConnectionMethod.parse("pssl:0:127.0.0.1", origin: .commandLine), group: group, rundir: "/", tls: tls, accept: accept)
    let port = try #require(listener.boundPort)
    return (listener, try ConnectionMethod.parse("ssl:127.0.0.1:\(port)", origin: .commandLine))
  }

  @Test func bothSidesKnowWhomTheyTalkTo() async throws {
    let certificates = try Certificates()
    try certificates.issue("client", "/O=Test/CN=client-1")
    let seen = group.any().makePromise(of: (String, String?).self)
    let (listener, method) = try listen(TLSContext(certificates.settings("server"))) { accepted in
      seen.succeed((accepted.name, peerCommonName(of: accepted.channel)))
      try accepted.channel.pipeline.syncOperations.addHandler(Echo())
    }
    defer { listener.close() }
    let first = group.any().makePromise(of: String.self)
    let loop = group.next()
    let channel = try await dial(method, on: loop, rundir: "/", tls: TLSContext(certificates.settings("client"))) {
      try $0.pipeline.syncOperations.addHandler(FirstRead(first))
    }.get()
    #expect(try await loop.submit { peerCommonName(of: channel) }.get() == "server")
    let (name, client) = try await seen.futureResult.get()
    #expect(client == "client-1")
    #expect(name.hasPrefix("ssl:127.0.0.1:"))
    try await channel.writeAndFlush(ByteBuffer(string: "hello")).get()
    #expect(try await first.futureResult.get() == "hello")
    try await channel.close().get()
  }

  @Test func aHandshakeThatIsNeverFinishedIsEndedAndNobodyIsAccepted() async throws {
    let certificates = try Certificates()
    let (listener, method) = try listen(
      TLSContext(certificates.settings("server"), handshakeTimeout: .milliseconds(50))
    ) { _ in Issue.record("nobody has shaken hands") }
    defer { listener.close() }
    // Plain TCP connections that say nothing.
    let plain = try ConnectionMethod.parse("tcp" + method.name.dropFirst(3), origin: .commandLine)
    for _ in 0..<20 {
      let channel = try await dial(plain, on: group.next(), rundir: "/") { channel in
        try channel.pipeline.syncOperations.addHandler(ClosingAtTheEnd())
      }.get()
      try await channel.closeFuture.get()
    }
  }

  @Test func aServerThatSaysNothingIsGivenUp() async throws {
    let certificates = try Certificates()
    let silent = try Listener.open(
      ConnectionMethod.parse("ptcp:0:127.0.0.1", origin: .commandLine), group: group, rundir: "/") { _ in }
    defer { silent.close() }
    let method = try ConnectionMethod.parse("ssl:127.0.0.1:\(try #require(silent.boundPort))", origin: .commandLine)
    let tls = TLSContext(certificates.settings("server"), handshakeTimeout: .milliseconds(50))
    await #expect(throws: StreamError(errnoCode: ETIMEDOUT)) {
      _ = try await dial(method, on: group.next(), rundir: "/", tls: tls) { _ in }.get()
    }
  }

  @Test func withoutCertificatesDiallingFailsAtOnce() async throws {
    let method = try ConnectionMethod.parse("ssl:127.0.0.1:1", origin: .commandLine)
    await #expect(throws: StreamError(errnoCode: ENOPROTOOPT)) {
      _ = try await dial(method, on: group.next(), rundir: "/", tls: TLSContext()) { _ in }.get()
    }
  }

  // MARK: - Time

  /// Connects two sides and waits for the end of the connection, which one of them judges by a clock that is ahead.
  private func connectUntilTheEnd(serverClock: time_t, clientClock: time_t, grace: Int64?) async throws {
    let certificates = try Certificates()
    func context(_ clock: time_t) -> TLSContext {
      var settings = certificates.settings("server")
      settings.expiryGrace = grace
      return TLSContext(settings, clock: { time(nil) + clock })
    }
    let (listener, method) = try listen(context(serverClock)) { accepted in
      try accepted.channel.pipeline.syncOperations.addHandler(ClosingAtTheEnd())
    }
    defer { listener.close() }
    let channel = try await dial(method, on: group.next(), rundir: "/", tls: context(clientClock)) { channel in
      try channel.pipeline.syncOperations.addHandler(ClosingAtTheEnd())
    }.get()
    try await channel.closeFuture.get()
  }

  private static let day = 86_400

  @Test func aSessionEndsWhenTheCertificateOfItsPeerHasRunOut() async throws {
    try await connectUntilTheEnd(serverClock: 3 * Self.day, clientClock: 0, grace: 0)
    try await connectUntilTheEnd(serverClock: 0, clientClock: 3 * Self.day, grace: 0)
    // Two days less a second: the timer has to go off.
    try await connectUntilTheEnd(serverClock: 2 * Self.day - 2, clientClock: 0, grace: 0)
    try await connectUntilTheEnd(serverClock: 2 * Self.day + 58, clientClock: 0, grace: 60)
  }

  @Test(arguments: [Int64(2 * 86_400), nil])
  func aSessionGoesOnDuringTheGrace(_ grace: Int64?) async throws {
    let certificates = try Certificates()
    var settings = certificates.settings("server")
    settings.expiryGrace = grace
    let tls = TLSContext(settings, clock: { time(nil) + 3 * Self.day })
    let (listener, method) = try listen(tls) { try $0.channel.pipeline.syncOperations.addHandler(Echo()) }
    defer { listener.close() }
    let first = group.any().makePromise(of: String.self)
    let channel = try await dial(method, on: group.next(), rundir: "/", tls: tls) {
      try $0.pipeline.syncOperations.addHandler(FirstRead(first))
    }.get()
    try await channel.writeAndFlush(ByteBuffer(string: "hello")).get()
    #expect(try await first.futureResult.get() == "hello")
    try await channel.close().get()
  }

  @Test func datesOfCertificatesAreRead() throws {
    let certificates = try Certificates()
    for (dates, begin, end) in [
      ("-not_before 19500101000000Z -not_after 20491231235959Z", -631_152_000, 2_524_607_999),
      ("-not_before 20000229120000Z -not_after 20500101000000Z", 951_825_600, 2_524_608_000),
      ("-not_before 19700101000000Z -not_after 99991231235959Z", 0, 253_402_300_799),
    ] {
      try certificates.sign("dated", "/CN=dated", dates)
      let der = try NIOSSLCertificate.fromPEMFile(certificates.path("dated"))[0].toDERBytes()
      let validity = try #require(CertificateValidity(der: der))
      #expect(validity.begin == begin && validity.end == end)
    }
  }

  @Test func theLogWarnsThirtyDaysBeforeACertificateRunsOut() throws {
    let certificates = try Certificates()
    try certificates.sign("dated", "/CN=dated", "-not_before 20200101000000Z -not_after 20300131000000Z")
    var report = TLSCertificateReport()
    report.add(try NIOSSLCertificate.fromPEMFile(certificates.path("dated")), kind: "certificate", path: "f.pem")
    let end = 1_896_048_000
    let date = "2030-01-31 00:00:00Z"
    #expect(report.summary == ["using certificate /CN=dated in f.pem, valid until \(date)"])
    #expect(report.warnings(at: end - 30 * Self.day) == [])
    #expect(
      report.warnings(at: end - 30 * Self.day + 1) == ["certificate /CN=dated in f.pem expires within 30 days, on \(date)"])
    #expect(report.warnings(at: end) == ["certificate /CN=dated in f.pem expires within a day, on \(date)"])
    #expect(report.warnings(at: end + 1) == ["certificate /CN=dated in f.pem expired on \(date)"])
  }

  @Test func ofARenewedAuthorityTheCertificateThatHoldsCounts() throws {
    let certificates = try Certificates()
    try certificates.sign("old", "/CN=twin", "-not_before 20200101000000Z -not_after 20250101000000Z")
    try certificates.renew("old", as: "new", "/CN=twin", "-not_before 20240101000000Z -not_after 20300101000000Z")
    try certificates.renew("old", as: "next", "/CN=twin", "-not_before 20290101000000Z -not_after 20400101000000Z")
    let all = try ["next", "old", "new", "ca"].map { try NIOSSLCertificate.fromPEMFile(certificates.path($0))[0] }
    let names = ["next", "old", "new", "ca"]
    func chosen(_ now: time_t) -> [String] { TLSAuthorities(all, at: now).certificates.map { names[all.firstIndex(of: $0) ?? 0] } }
    #expect(chosen(1_700_000_000) == ["old", "ca"])
    #expect(chosen(1_760_000_000) == ["new", "ca"])
    #expect(chosen(1_895_000_000) == ["next", "ca"])
    #expect(TLSAuthorities(all, at: 1_700_000_000).soundUntil == 1_704_067_200)
    #expect(TLSAuthorities([all[3]], at: 0).soundUntil == .max)
  }

  @Test func ofManyAuthoritiesTheFirstToRunOutAreNamed() throws {
    let certificates = try Certificates()
    let authority = try NIOSSLCertificate.fromPEMFile(certificates.path("ca"))
    var report = TLSCertificateReport()
    report.add(Array(repeating: authority[0], count: 140), kind: "CA certificate", path: "f.pem")
    #expect(report.summary.count == 11 && report.summary.last == "using 130 more of f.pem, valid for longer")
    #expect(report.warnings(at: time(nil)).count == 10)
  }

  // MARK: - Names

  @Test func namesAreReadFromCertificates() throws {
    let certificates = try Certificates()
    try certificates.issue("several", "/CN=first/O=Test/CN=second")
    try certificates.issue("none", "/O=Test")
    try certificates.issue("umlaut", "/CN=Gerät", "-utf8")
    let authority = try #require(try certificates.name("ca"))
    #expect(authority.isSelfIssued && authority.subject == "/O=Test/CN=ca" && authority.commonName == "ca")
    let several = try #require(try certificates.name("several"))
    #expect(several.commonName == "first" && !several.isSelfIssued && several.isIssued(by: authority))
    #expect(try certificates.name("none")?.commonName == nil)
    #expect(try certificates.name("umlaut")?.commonName == "Gerät")
  }

  @Test func noBytesMakeTheReaderOfNamesFail() throws {
    let certificates = try Certificates()
    let der = try NIOSSLCertificate.fromPEMFile(certificates.path("server"))[0].toDERBytes()
    #expect(CertificateName(der: der)?.commonName == "server")
    for length in 0..<der.count { _ = CertificateName(der: Array(der.prefix(length))) }
    for position in der.indices {
      for bit in 0..<8 {
        var changed = der
        changed[position] ^= 1 << bit
        _ = (CertificateName(der: changed), CertificateValidity(der: changed), CertificateStrength(der: changed))
      }
    }
    #expect(CertificateName(der: Array(der.prefix(40))) == nil)
  }

  @Test func aLearnedCertificateIsWrittenAsPEM() throws {
    let certificates = try Certificates()
    let authority = try NIOSSLCertificate.fromPEMFile(certificates.path("ca"))[0]
    let server = try NIOSSLCertificate.fromPEMFile(certificates.path("server"))[0]
    #expect(TLSBootstrap(chain: [server]) == nil)
    let bootstrap = try #require(TLSBootstrap(chain: [server, authority]))
    #expect(bootstrap.store(in: certificates.path("learned")))
    #expect(try NIOSSLCertificate.fromPEMFile(certificates.path("learned")) == [authority])
    // Somebody else was quicker: that is left alone.
    #expect(bootstrap.store(in: certificates.path("server")))
    #expect(try NIOSSLCertificate.fromPEMFile(certificates.path("server")) == [server])
    #expect(!bootstrap.store(in: "/nonexistent/ca"))
    for count in 0...4 { #expect(TLSBootstrap.base64(Array(repeating: 0, count: count)).count == (count + 2) / 3 * 4 + 1) }
  }
}
