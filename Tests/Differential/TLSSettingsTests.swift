// SPDX-License-Identifier: Apache-2.0
//
// Generated TLS settings: whether a client gets in must not depend on whose programs are at work. The judge is openssl s_client on
// s_server; held against it are ours, Open vSwitch's and openssl(1) with each other. Open vSwitch's programs send the first certificate of
// their file alone, so the judge does, too, where it stands for one of them.
//
// OVSDB_TLS_SEED=N runs that seed alone; OVSDB_TLS_SEEDS=N that many (4 by default) from OVSDB_TLS_FIRST on. Each seed is one server and
// OVSDB_TLS_CLIENTS=N clients (10 by default).

import Foundation
import TestSupport
import Testing

private enum Settings {
  static func number(_ name: String, _ standard: Int) -> Int { Programs.environment(name).flatMap { Int($0) } ?? standard }

  static let clients = number("OVSDB_TLS_CLIENTS", 10)

  static let seeds: [UInt64] = {
    if let seed = Programs.environment("OVSDB_TLS_SEED").flatMap({ UInt64($0) }) { return [seed] }
    let first = number("OVSDB_TLS_FIRST", 1)
    return (first..<first + number("OVSDB_TLS_SEEDS", 4)).map { UInt64($0) }
  }()
}

@Suite(
  .serialized, .enabled(if: Programs.hasPeer, "Open vSwitch's programs are not installed"),
  .enabled(if: Programs.hasOurs, "our programs are not built"))
struct TLSSettingsTests {
  @Test("who gets in does not depend on whose programs shake hands", arguments: Settings.seeds)
  func verdictsAreTheSame(seed: UInt64) throws {
    let pool = try TLSPool.shared.get()
    var random = SeededRandom(seed: seed)
    let parties = try TLSParties(server: TLSPartySettings.drawn(from: pool, &random))
    for _ in 0..<Settings.clients {
      let client = TLSPartySettings.drawn(from: pool, &random)
      for (program, partner) in TLSParties.contested {
        let isRefused = TLSDifference.refuses(server: parties.settings, client: client, program, on: partner)
        let judgement = try !isRefused && parties.verdict(program == .peer ? client.alone : client, .openssl, on: partner.judge)
        let verdict = try parties.verdict(client, program, on: partner)
        #expect(
          verdict == judgement,
          "seed \(seed): \(program) client with \(client) on \(partner) server with \(parties.settings)\n\(parties.lastWords(on: partner))")
      }
    }
  }
}

/// The TLS options of one side.
struct TLSPartySettings: CustomStringConvertible {
  var identity: TLSIdentity
  var authority: TLSAuthorityFile
  var isOnly12 = false
  var ciphers: String?

  /// Mostly good, with a fault or two: with more the verdict would nearly always be no.
  static func drawn(from pool: TLSPool, _ random: inout SeededRandom) -> TLSPartySettings {
    var settings = TLSPartySettings(identity: pool.good, authority: pool.root)
    if random.chance(75) { settings.identity = random.pick(pool.identities) }
    if random.chance(35) { settings.authority = random.pick(pool.authorities) }
    settings.isOnly12 = random.chance(35)
    if random.chance(35) { settings.ciphers = random.pick(cipherStrings) }
    return settings
  }

  private static let cipherStrings = [
    "HIGH:!aNULL:!MD5", "ECDHE+AESGCM", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "AES256-GCM-SHA384",
    "ECDHE+CHACHA20", "HIGH:@SECLEVEL=0", "HIGH:@SECLEVEL=1", "HIGH:@SECLEVEL=3", "kRSA:!AES256",
  ]

  /// The same with nothing behind the certificate.
  var alone: TLSPartySettings {
    var settings = self
    settings.identity = identity.alone
    return settings
  }

  var description: String {
    "certificate \(identity.label), trusting \(authority.label)\(isOnly12 ? ", TLS 1.2" : "")\(ciphers.map { ", \($0)" } ?? "")"
  }

  /// For the programs of both sides.
  var options: [String] {
    ["-p", identity.key, "-c", identity.certificate, "-C", authority.path] + (isOnly12 ? ["--ssl-protocols=TLSv1.2"] : [])
      + (ciphers.map { ["--ssl-ciphers=\($0)"] } ?? [])
  }

  /// For openssl(1).
  func opensslOptions(isServer: Bool) -> [String] {
    let verification = isServer ? ["-Verify", "9"] : ["-verify", "9"]
    return ["-key", identity.key, "-cert", identity.leaf] + (identity.chain.map { ["-cert_chain", $0] } ?? [])
      + (authority.path == "none" ? [] : ["-CAfile", authority.path, "-verify_return_error"] + verification)
      + (isOnly12 ? ["-tls1_2"] : []) + (ciphers.map { ["-cipher", $0] } ?? [])
  }
}

/// What compatibility.md, "TLS and roles", has as different.
enum TLSDifference {
  /// Whether ours refuses what OpenSSL takes.
  static func refuses(
    server: TLSPartySettings, client: TLSPartySettings, _ program: TLSParties.Program, on partner: TLSParties.Program
  ) -> Bool {
    let isClientForeign = client.identity.isForeignToUs
    let isServerForeign = server.identity.isForeignToUs
    // A server that checks nobody does not ask for the client's certificate.
    let isClientAsked = server.authority.path != "none"
    return program == .ours && (isClientForeign || isServerForeign)
      || partner == .ours && (isServerForeign || isClientForeign && isClientAsked)
  }
}

/// A server of each kind with the same settings.
final class TLSParties {
  enum Program: String {
    case ours, peer, openssl
    /// `openssl` that sends its certificate alone.
    case opensslAlone

    /// Who judges in its place.
    var judge: Program { self == .peer ? .opensslAlone : .openssl }

    var isOpenSSL: Bool { self == .openssl || self == .opensslAlone }
  }

  /// Which clients on which servers are judged.
  static let contested: [(Program, Program)] = [
    (.ours, .ours), (.peer, .ours), (.openssl, .ours), (.ours, .peer), (.ours, .openssl), (.peer, .peer),
  ]

  let settings: TLSPartySettings
  private let directory: RunDirectory
  private var lastClient = ""
  private var servers: [Program: (process: ChildProcess, port: String)] = [:]

  init(server settings: TLSPartySettings) throws {
    self.settings = settings
    directory = try RunDirectory()
    try write(#"{"name":"D","version":"1.0.0","tables":{"T":{"columns":{"c":{"type":"string"}}}}}"#, to: directory.path("schema"))
    for side in [Side.ours, .peer] { try start(side) }
    try startOpenSSL(.openssl, settings)
    try startOpenSSL(.opensslAlone, settings.alone)
  }

  deinit { for server in servers.values { server.process.stop() } }

  private func start(_ side: Side) throws {
    let database = directory.path("\(side).db")
    try succeed(side.tool("ovsdb-tool"), ["create", database, directory.path("schema")], in: directory)
    let process = try spawn(
      side.rawValue, side.server,
      ["-vsyslog:off", "--unixctl=\(directory.path("\(side).ctl"))", "--remote=pssl:0:127.0.0.1"] + settings.options + [database])
    try remember(Program(rawValue: side.rawValue) ?? .ours, process, port: #/listening on port (\d+)/#)
  }

  private func startOpenSSL(_ program: Program, _ settings: TLSPartySettings) throws {
    let process = try spawn(
      program.rawValue, "/usr/bin/openssl", ["s_server", "-accept", "127.0.0.1:0", "-rev"] + settings.opensslOptions(isServer: true))
    try remember(program, process, port: #/ACCEPT .*:(\d+)/#)
  }

  private func remember(_ program: Program, _ process: ChildProcess, port pattern: Regex<(Substring, Substring)>) throws {
    var port: Substring?
    try waitUntil("the port of \(program.rawValue)", seconds: 60) {
      port = said(program).firstMatch(of: pattern)?.1
      return port != nil || !process.isRunning
    }
    // openssl s_server does not begin with a certificate that is too weak for it; then nobody gets in.
    guard let port else { return #expect(program.isOpenSSL, "\(program.rawValue) ended: \(said(program))") }
    servers[program] = (process, String(port))
  }

  private func spawn(_ name: String, _ program: String, _ arguments: [String], input: String = "/dev/null") throws -> ChildProcess {
    try ChildProcess(
      program, arguments, environment: directory.environment, directory: directory.path, input: input,
      output: directory.path("\(name).out"), errors: directory.path("\(name).err"))
  }

  func said(_ program: Program) -> String { said(program.rawValue) }

  private func said(_ name: String) -> String {
    ["out", "err"].map { (try? readText(directory.path("\(name).\($0)"))) ?? "" }.joined()
  }

  // MARK: - Clients

  /// What the client that was last judged and its server wrote.
  func lastWords(on server: Program) -> String { said(lastClient) + said(server).suffix(3000) }

  /// Whether a client gets an answer; of `openssl s_server`, which answers nothing of use, whether it has shaken hands.
  func verdict(_ client: TLSPartySettings, _ program: Program, on server: Program) throws -> Bool {
    guard let port = servers[server]?.port else { return false }
    let before = establishedCount(server)
    let name = directory.uniqueName("client")
    lastClient = name
    let process = try program == .openssl ? openssl(name, client, port) : tool(name, program, client, port)
    defer { process.stop() }
    var isIn = false
    try waitUntil("a verdict on \(client)", seconds: 60) {
      let hasEnded = !process.isRunning
      isIn = server.isOpenSSL ? establishedCount(server) > before : said(name).contains("_Server")
      return isIn || hasEnded
    }
    return isIn
  }

  private func establishedCount(_ server: Program) -> Int { said(server).components(separatedBy: "CONNECTION ESTABLISHED").count }

  private func tool(_ name: String, _ program: Program, _ client: TLSPartySettings, _ port: String) throws -> ChildProcess {
    let side = program == .ours ? Side.ours : .peer
    return try spawn(name, side.tool("ovsdb-client"), client.options + ["list-dbs", "ssl:127.0.0.1:\(port)"])
  }

  private func openssl(_ name: String, _ client: TLSPartySettings, _ port: String) throws -> ChildProcess {
    let request = directory.path("request")
    try write(#"{"id":1,"method":"list_dbs","params":[]}"#, to: request)
    return try spawn(
      name, "/usr/bin/openssl", ["s_client", "-quiet", "-connect", "127.0.0.1:\(port)"] + client.opensslOptions(isServer: false),
      input: request)
  }
}
