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
  /// The first text of the input is `"relay"` or `"backup"`. Each further one is what the source says: an object with a `method` as it
  /// stands, `null` when it says nothing for a second, `true` when it ends the connection, anything else in answer to the oldest
  /// request that it has not answered. Whatever it says, the bookkeeping is right, the file is what is in memory, and clients are served.
  static let source = FuzzTarget(
    name: "source",
    words: Catalog.words + [
      "\"relay\"", "\"backup\"", "\n", "null", "true", "[\"db\"]", "[false,\"00000000-0000-0000-0000-000000000001\",{\"A\":{",
      "\"00000000-0000-0000-0000-000000000009\":{\"", "\"initial\"", "\"insert\"", "\"modify\"", "\"delete\":null", "\"new\"", "\"old\"",
      "{\"id\":null,\"method\":\"update3\",\"params\":[[\"relay\"],\"00000000-0000-0000-0000-000000000002\",{",
      "{\"id\":null,\"method\":\"update\",\"params\":[[\"replication\",\"db\"],{", "{\"error\":\"unknown method\"}", Catalog.schemaText,
    ]
  ) { bytes in
    var stream = JSONStream(messageBytesMax: 1 << 20)
    stream.append(bytes)
    guard let kind = try? stream.next(), let isRelay = kind.isString("relay") ? true : kind.isString("backup") ? false : nil else {
      return
    }
    let follower = try Follower(isRelay: isRelay)
    defer { follower.shutDown() }
    var count = 0
    while count < Follower.stepsMax, let text = try? stream.next() {
      try follower.hear(text)
      count += 1
    }
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
      let file = try ScratchFile.fresh("source.db")
      try ScratchFile.makeDatabase(file, schema: Catalog.makeSchema())
      try embedded.server.openDatabase(file)
      _ = try embedded.becomeBackup()
    }
    client = EmbeddedPeer(loop: loop)
    try embedded.accept(client.channel, name: "client")
    client.begin()
    client.send(#"{"id":1,"method":"monitor_cond","params":["_Server","m",{"Database":[{}]}]}"#)
    loop.run()
    try connect()
  }

  /// Connects the server to its source, when it has none.
  private func connect() throws {
    if source?.isOpen == true { return }
    let next = EmbeddedPeer(loop: loop)
    guard isRelay ? try embedded.connectRelay(of: "db", through: next.channel) : try embedded.connectBackup(through: next.channel) else {
      return
    }
    asked = []
    source = next
    next.begin()
    loop.run()
    try takeRequests()
  }

  private func takeRequests() throws {
    try source?.receive { request in
      guard let id = request.member("id"), !id.isNull, request.member("method") != nil else { return }
      asked.append(id.text())
    }
  }

  func hear(_ text: JSONValue) throws {
    switch text.kind {
    case .null: loop.advanceTime(by: .seconds(1))
    case .true: source?.hangUp()
    case .object where text.member("method") != nil: source?.send(text.text(sorted: false))
    case .object where text.member("error") != nil: answer("null", error: text.member("error")?.text(sorted: false) ?? "null")
    default: answer(text.text(sorted: false), error: "null")
    }
    loop.run()
    try takeRequests()
    try check()
    try connect()
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
    var isAnswered = false
    try client.receive { message in if message.member("id")?.integer == 2 { isAnswered = true } }
    try require(isAnswered, "a client is not answered")
  }

  func shutDown() {
    source?.hangUp()
    client.hangUp()
    embedded.shutDown()
    loop.run()
  }
}
