// SPDX-License-Identifier: Apache-2.0
//
// A source that lies: what another server tells a relay or a backup.

import Engine
import JSON
import NIOCore
import NIOEmbedded
import OVSDB
import Server

extension FuzzTarget {
  /// The input of a backup begins with a line `"backup"`, any other is one of a relay. Each further line is what the source says: an object
  /// with a `method` as it stands, `null` when it says nothing for a second, `true` when it ends the connection, any other JSON in answer
  /// to the oldest request that it has not answered, and what is no JSON as it stands. Whatever it says, the bookkeeping is right,
  /// the file is what is in memory, and clients are served.
  static let source = FuzzTarget(
    name: "source",
    words: Catalog.words + [
      "\"relay\"", "\"backup\"", "\n", "null", "true", "[\"db\"]", "[false,\"00000000-0000-0000-0000-000000000001\",{\"A\":{",
      "\"00000000-0000-0000-0000-000000000009\":{\"", "\"initial\"", "\"insert\"", "\"modify\"", "\"delete\":null", "\"new\"", "\"old\"",
      "{\"id\":null,\"method\":\"update3\",\"params\":[[\"relay\"],\"00000000-0000-0000-0000-000000000002\",{",
      "{\"id\":null,\"method\":\"update\",\"params\":[[\"replication\",\"db\"],{", "{\"error\":\"unknown method\"}", Catalog.schemaText,
    ]
  ) { bytes in
    let lines = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: Follower.stepsMax)
    let follower = try Follower(isRelay: lines.first?.elementsEqual("\"backup\"".utf8) != true)
    defer { follower.shutDown() }
    for line in lines.dropFirst() { try follower.hear(UnsafeRawBufferPointer(rebasing: line)) }
    try follower.end()
  }
}

/// A server that follows a source, and that source.
private final class Follower {
  private let loop = EmbeddedEventLoop()
  private let embedded: EmbeddedServer
  private let isRelay: Bool
  private var source: EmbeddedPeer?
  private var client: EmbeddedPeer
  /// Ids of requests that were not answered, as text, oldest first.
  private var asked: [String] = []

  static let stepsMax = 100

  init(isRelay: Bool) throws {
    self.isRelay = isRelay
    embedded = try EmbeddedServer(on: loop, rundir: ScratchFile.directory(), limits: Limits())
    if isRelay {
      try embedded.server.openDatabase("relay:db:\(EmbeddedServer.nowhere)")
    } else {
      try embedded.addDatabase(Catalog.makeSchema(), file: "source.db")
      _ = try embedded.becomeBackup()
    }
    client = try embedded.connect("client", on: loop)
    client.send(#"{"id":1,"method":"monitor_cond","params":["_Server","m",{"Database":[{}]}]}"#)
    loop.run()
    var count = 0
    try client.receive { _ in count += 1 }
    try require(count == 1, "nobody listens")
    try connect()
  }

  /// Connects the server to its source, when it has none.
  private func connect() throws {
    if source?.isOpen == true { return }
    let next = EmbeddedPeer(loop: loop)
    let isTaken = isRelay ? try embedded.connectRelay(of: "db", through: next.channel) : try embedded.connectBackup(through: next.channel)
    // A channel that is not closed keeps itself.
    guard isTaken else { return next.hangUp() }
    asked = []
    source = next
    try next.begin()
    loop.run()
    try takeRequests()
  }

  private func takeRequests() throws {
    try source?.receive { request in
      guard let id = request.member("id"), !id.isNull, request.member("method") != nil else { return }
      asked.append(id.text())
    }
  }

  func hear(_ line: UnsafeRawBufferPointer) throws {
    if let document = try? JSONDocument.parse(line, anyValue: true) {
      document.withRoot { hear($0) }
    } else {
      source?.send(line)
    }
    loop.run()
    try takeRequests()
    try check()
    try connect()
  }

  private func hear(_ text: JSONValue) {
    switch text.kind {
    case .null: loop.advanceTime(by: .seconds(1))
    case .true: source?.hangUp()
    case .object where text.member("method") != nil: source?.send(text.text(sorted: false))
    case .object where text.member("error") != nil: answer("null", error: text.member("error")?.text(sorted: false) ?? "null")
    default: answer(text.text(sorted: false), error: "null")
    }
  }

  private func answer(_ result: String, error: String) {
    guard let id = asked.first else { return }
    asked.removeFirst()
    source?.send("{\"id\":\(id),\"result\":\(result),\"error\":\(error)}")
  }

  private func check(readsFiles: Bool = false) throws {
    let faults = embedded.server.checkInvariants(readsFiles: readsFiles)
    try require(faults.isEmpty, "\(faults)")
  }

  func end() throws {
    loop.advanceTime(by: .seconds(1))
    try check(readsFiles: true)
    client.send(#"{"id":2,"method":"transact","params":["db",{"op":"select","table":"A","where":[]}]}"#)
    loop.run()
    var heard: [String] = []
    try client.receive { heard.append($0.text(sorted: false)) }
    let isAnswered = heard.contains { $0.hasPrefix("{\"id\":2,") }
    try require(isAnswered || !client.isOpen, "a client is not answered; it heard \(heard)")
  }

  func shutDown() {
    source?.hangUp()
    client.hangUp()
    embedded.shutDown()
    EmbeddedPeer.end(loop)
  }
}
