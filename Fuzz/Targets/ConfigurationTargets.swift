// SPDX-License-Identifier: Apache-2.0
//
// What people and programs write to configure: the configuration file, names of remotes and TLS options, values as they are typed.

import Client
import Daemon
import JSON
import OVSDB
import Server
import Streams

extension FuzzTarget {
  /// The configuration file: it is read or refused with a reason, and reading it again gives the same.
  static let configuration = FuzzTarget(
    name: "configuration",
    words: [
      "\"remotes\":{", "\"databases\":{", "\"service-model\":", "\"standalone\"", "\"clustered\"", "\"active-backup\"", "\"relay\"",
      "\"backup\":true", "\"source\":{", "\"exclude-tables\":[", "\"inactivity-probe\":", "\"max-backoff\":", "\"dscp\":",
      "\"read-only\":", "\"role\":", "\"punix:db.sock\"", "\"db:db,A,opt\"", "\"pssl:6640\"", "\"pfd:3\"", "null",
    ]
  ) { bytes in
    guard let document = try? JSONText.parse(Array(bytes)) else { return }
    let first = configuration(document)
    try require(first == configuration(document), "read twice, it is two configurations")
    if case .failure(let failure) = first { try require(!failure.lines.isEmpty, "refused without a reason") }
  }

  private static func configuration(_ document: JSONDocument) -> Result<ServerConfiguration, ServerConfiguration.Failure> {
    Result { () throws(ServerConfiguration.Failure) in
      try document.withRoot { (root) throws(ServerConfiguration.Failure) in try ServerConfiguration(json: root) }
    }
  }

  /// Names, a line each: of remotes from every origin, lists of them, TLS protocols, ciphers.
  static let names = FuzzTarget(
    name: "names",
    words: [
      "ptcp:", "tcp:", "pssl:", "ssl:", "punix:", "unix:", "pfd:", "cid:", "[::1]", "%lo", ":6640", ",", "127.0.0.1", "db:db,A,opt",
      "TLSv1.2", "TLSv1.3", "-", "+", "HIGH", "!", "@SECLEVEL=1", "ECDHE+AESGCM", "\n",
    ]
  ) { bytes in
    for line in bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 100) {
      let name = String(decoding: line, as: UTF8.self)
      for origin in [ConnectionMethod.Origin.commandLine, .configurationFile, .controlSocket, .database] {
        guard let method = try? ConnectionMethod.parse(name, origin: origin) else { continue }
        try require(method.name == name && method.description == name, "\(name) is called \(method)")
        try require(!method.isTLS || name.utf8.contains(UInt8(ascii: ":")), "\(name) speaks TLS")
        // Nobody but who starts the process may name its descriptors.
        if case .pfd = method.kind { try require(origin == .commandLine, "\(name) is taken from \(origin)") }
      }
      let remotes = Remotes(name)
      try require(remotes.methods.count <= name.utf8.count, "\(name) are too many")
      // A client's reading of the name tells the same method, or one that the server refuses.
      let lenient = ConnectionMethod.parseForClient(name)
      if let strict = try? ConnectionMethod.parse(name, origin: .commandLine) { try require(strict == lenient, "\(name) is read in two ways") }
      _ = TLSProbe.namesProtocols(name)
      let ciphers = TLSProbe.ciphers(name)
      try require(Set(ciphers).count == ciphers.count, "\(name) selects \(ciphers)")
    }
  }

  /// What `vlog/set` is given, and patterns of lines.
  static let logging = FuzzTarget(
    name: "logging",
    words: [
      "PATTERN:file:", "FACILITY:daemon", "jsonrpc:", "console:", "any:", "dbg", "off", "%d{%Y.###}", "%D{", "%-9p", "%010N", "%m", "%1024c",
      "%t%T%E%B%P%A%n%r%%",
    ]
  ) { bytes in
    let text = String(decoding: bytes, as: UTF8.self)
    let line = LogProbe.read(text, message: "message")
    try require(line == LogProbe.read(text, message: "message") || text.utf8.contains(UInt8(ascii: "%")), "\(text) is read twice in two ways")
    // A field is padded to what a terminal shows at most.
    try require((line?.utf8.count ?? 0) <= 2048 * (text.utf8.count + 1), "\(text) becomes a line without end")
  }

  /// A certificate that a peer shows, in PEM or DER. A name with a NUL in it is none; its dates have four digits for a year at most, and
  /// nothing is stronger than 256 bits. A key is another thing, and bytes that are none are refused with a reason.
  static let certificate = FuzzTarget(
    name: "certificate",
    words: ["\u{30}\u{82}", "\u{31}\u{0b}", "\u{06}\u{03}\u{55}\u{04}\u{03}", "\u{0c}", "\u{13}", "\u{1e}", "\u{a0}\u{03}\u{02}\u{01}\u{02}"]
  ) { bytes in
    let reason = TLSProbe.objection(toKey: Array(bytes))
    try require(!reason.isEmpty && !reason.utf8.contains(0), "a key is refused without a reason")
    if TLSProbe.isPrivateKey(Array(bytes)) { return }
    for judgement in TLSProbe.judgements(ofCertificates: Array(bytes)) {
      try require(judgement.begin >= -62_200_000_000 && judgement.end < 253_410_000_000, "valid in no year: \(judgement)")
      try require(0...256 ~= judgement.keyBits && 0...256 ~= judgement.digestBits, "no such strength: \(judgement)")
    }
    for (commonName, subject) in TLSProbe.subjects(ofCertificates: Array(bytes)) {
      try require(commonName?.utf8.contains(0) != true && !subject.utf8.contains(0), "the subject \(subject)")
    }
  }

  /// Values as people type them. The first line is a type as in a schema; each further one a value, whose text form is a value again.
  static let text = FuzzTarget(
    name: "text",
    words: [
      "{\"key\":\"integer\",\"min\":0,\"max\":\"unlimited\"}", "{\"key\":\"string\",\"value\":\"string\",\"min\":0,\"max\":9}", "\"uuid\"", "\"real\"",
      "\"boolean\"", "\n", "[", "]", "{", "}", "=", ",", "\"", "\\", "3-7", "true", "1e300", "@name",
      "00000000-0000-0000-0000-000000000001", "\\u0000", "\\ud800",
    ]
  ) { bytes in
    let lines = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 100)
    guard let first = lines.first, let document = try? JSONDocument.parse(UnsafeRawBufferPointer(rebasing: first), anyValue: true),
      let type = document.withRoot({ try? ColumnType(json: $0) })
    else { return }
    // What is typed are C strings.
    for line in lines.dropFirst() where !line.contains(0) {
      let text = String(decoding: line, as: UTF8.self)
      guard let datum = try? Datum(text: text, type: type, symbols: nil) else { continue }
      let written = datum.text(of: type)
      let again = try Datum(text: written, type: type, symbols: nil)
      try require(again == datum || type.holdsReals, "\(text) was written \(written) and read as \(again.text(of: type))")
    }
  }
}

extension ColumnType {
  /// Reals are written with 15 digits, which may be others.
  fileprivate var holdsReals: Bool { key.type == .real || value?.type == .real }
}
