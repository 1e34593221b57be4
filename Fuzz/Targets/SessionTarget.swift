// SPDX-License-Identifier: Apache-2.0
//
// A whole server with several clients, in one thread and with limits so small that a few rows are much: large replies, initial contents
// and updates that are made piece by piece, clients that do not read, waits, locks.

import Engine
import Glibc
import JSON
import NIOCore
import NIOEmbedded
import OVSDB
import Server

extension FuzzTarget {
  /// The input is a script, a step a line:
  ///
  ///     0{"id":1,"method":...    client 0 says so; there are clients 0, 1 and 2
  ///     -1                       client 1 stops to read        +1   goes on        x1   hangs up and comes back as another
  ///     .                        a millisecond passes           ,    a second passes
  ///
  /// Any other line is said by client 0. At the end all read, and everything that was begun comes to its end.
  static let session = FuzzTarget(
    name: "session",
    words: Catalog.words + [
      "\n0", "\n1", "\n2", "\n-0", "\n+0", "\n-1", "\n+1", "\nx1", "\n.", "\n,", "{\"id\":1,\"method\":\"transact\",\"params\":[\"db\",",
      "\"monitor\"", "\"monitor_cond\"", "\"monitor_cond_since\"", "\"monitor_cond_change\"", "\"monitor_cancel\"", "\"lock\"",
      "\"steal\"", "\"unlock\"", "\"cancel\"", "\"get_schema\"", "\"set_db_change_aware\"", "\"convert\"", "[\"m\"]", "{\"A\":[{}]}",
    ]
  ) { bytes in
    let script = try SessionScript()
    defer { script.shutDown() }
    for line in bytes.split(separator: UInt8(ascii: "\n"), maxSplits: SessionScript.stepsMax) {
      try script.step(UnsafeRawBufferPointer(rebasing: line))
    }
    try script.end()
  }
}

/// A server and its clients while a script runs.
private final class SessionScript {
  private let loop = EmbeddedEventLoop()
  private let embedded: EmbeddedServer
  private var clients: [EmbeddedClient] = []
  private let schema: DatabaseSchema

  static let stepsMax = 200
  private static let clientCount = 3

  private static var limits: Limits {
    var limits = Limits()
    limits.messageBytesMax = 1 << 20
    limits.inlineRowsMax = 2
    limits.pieceBytes = 120
    limits.transactionWorkMax = 700
    limits.contentsBytesMax = 600
    limits.monitorsMax = 4
    limits.waitsMax = 3
    limits.locksMax = 3
    return limits
  }

  /// Rows that are there from the beginning.
  private static let rows: String = {
    let inserts = (0..<7).map { #"{"op":"insert","table":"A","row":{"n":\#($0),"s":"row \#($0)","set":["set",[1,2,\#($0 + 5)]]}}"# }
    return "[\"db\",\(inserts.joined(separator: ",")),{\"op\":\"insert\",\"table\":\"A\",\"row\":{\"n\":-1,\"opt\":\"x\"}}]"
  }()

  init() throws {
    schema = try Catalog.makeSchema()
    embedded = try EmbeddedServer(on: loop, rundir: ScratchFile.directory(), limits: Self.limits)
    try embedded.addDatabase(schema, file: "session.db")
    for number in 0..<Self.clientCount { clients.append(try connect(number)) }
    clients[0].send("{\"id\":\"rows\",\"method\":\"transact\",\"params\":\(Self.rows)}")
    // It takes long, by these limits.
    loop.advanceTime(by: .milliseconds(5))
    try readAll()
    let count = embedded.server.snapshot(of: "db")?.tables.reduce(0) { $0 + $1.rows.count }
    try require(count == 8, "nobody listens: there are \(count ?? 0) rows")
  }

  private func connect(_ number: Int) throws -> EmbeddedClient {
    let client = EmbeddedClient(loop: loop)
    try embedded.accept(client.channel, name: "client \(number)")
    try client.begin()
    return client
  }

  func step(_ line: UnsafeRawBufferPointer) throws {
    let second = line.count > 1 ? Int(line[1]) - 0x30 : -1
    let number = clients.indices.contains(second) ? second : 0
    switch line.first {
    case UInt8(ascii: "0")?, UInt8(ascii: "1")?, UInt8(ascii: "2")?:
      clients[Int(line[0]) - 0x30].say(UnsafeRawBufferPointer(rebasing: line[1...]))
    case UInt8(ascii: "-")?: clients[number].setReading(false)
    case UInt8(ascii: "+")?: clients[number].setReading(true)
    case UInt8(ascii: "x")?:
      clients[number].hangUp()
      clients[number] = try connect(number)
    case UInt8(ascii: ".")?: loop.advanceTime(by: .milliseconds(1))
    case UInt8(ascii: ",")?: loop.advanceTime(by: .seconds(1))
    default: clients[0].say(line)
    }
    loop.run()
    try readAll()
    try check()
  }

  private func readAll() throws {
    for client in clients { try client.read(schema: schema) }
  }

  private func check(readsFiles: Bool = false) throws {
    let faults = embedded.server.checkInvariants(readsFiles: readsFiles)
    try require(faults.isEmpty, "\(faults)")
  }

  /// Everybody reads, and all that was begun comes to its end.
  func end() throws {
    for client in clients { client.setReading(true) }
    for round in 0..<108 {
      loop.advanceTime(by: .milliseconds(50))
      try readAll()
      if round < 8 { continue }
      // Contents whose last reader is gone hold up those that come next for a tenth of a second, by the system's clock.
      if clients.allSatisfy({ !$0.isOpen || $0.isAtBoundary }) { break }
      usleep(5000)
    }
    try check(readsFiles: true)
    guard let snapshot = embedded.server.snapshot(of: "db") else { throw FuzzFault("the database is gone") }
    // A conversion may have given it other columns.
    guard snapshot.schema.text == schema.text else { return }
    _ = try embedded.configuredRemotes("db:db,A,opt")
    let rows = snapshot.copiedRows
    for client in clients {
      try require(!client.isOpen || client.isAtBoundary, "a message was begun and not ended: \(client.recent)")
      try client.check(rows)
    }
  }

  func shutDown() {
    for client in clients { client.hangUp() }
    embedded.shutDown()
    EmbeddedPeer.end(loop)
  }
}

extension Snapshot {
  /// All rows, as a client would know them.
  var copiedRows: [String: [String: CopiedRow]] {
    var copies: [String: [String: CopiedRow]] = [:]
    for table in tables {
      let rows = table.rows.values.map { row in
        ("\(row.uuid)", Dictionary(uniqueKeysWithValues: table.schema.columns.map { ($0.name, row[$0]) }))
      }
      copies[table.schema.name] = Dictionary(uniqueKeysWithValues: rows)
    }
    return copies
  }
}
