// SPDX-License-Identifier: Apache-2.0
//
// `_Server`, the database about the databases. It lives in memory; clients read and monitor it like any other.
//
// Source: Documentation/protocol/server.md#_server.

import Engine
import JSON
import OVSDB

extension Server {
  static let serverDatabaseName = "_Server"

  /// Makes `_Server` and its row about itself.
  package func makeServerDatabase() throws {
    let schema = try JSONDocument.parse(serverSchemaText).withRoot { json throws(OVSDBError) in try DatabaseSchema(json: json) }
    let database = Database(schema: schema, random: makeRandom())
    let served = ServedDatabase(database: database, store: nil, isReadOnly: true, server: self)
    add(served)
    publishRow(of: served)
  }

  private var serverDatabase: ServedDatabase? { databases[Self.serverDatabaseName] }

  /// Adds the row of a database.
  func publishRow(of database: ServedDatabase) {
    let model = database.relay == nil ? "standalone" : "relay"
    changeRows(
      """
      [{"op":"insert","table":"Database","row":{"name":\(quoted(database.name)),"model":"\(model)",\
      "leader":\(database.relay == nil),\(changingColumns(of: database))}}]
      """)
  }

  /// Tells what has become of a database: its schema, and whether its source is there.
  func refreshRow(of database: ServedDatabase) {
    guard databases[database.name] === database else { return }
    changeRows(
      """
      [{"op":"update","table":"Database","where":[["name","==",\(quoted(database.name))]],\
      "row":{\(changingColumns(of: database))}}]
      """)
  }

  private func changingColumns(of database: ServedDatabase) -> String {
    // A relay has no schema before it knows that of its source.
    let schema = database.relay?.isAvailable == false ? "[\"set\",[]]" : quoted(database.database.schema.text)
    return "\"connected\":\(database.relay?.isConnected ?? true),\"schema\":\(schema)"
  }

  func removeRow(of name: String) {
    changeRows("[{\"op\":\"delete\",\"table\":\"Database\",\"where\":[[\"name\",\"==\",\(quoted(name))]]}]")
  }

  /// Changes rows of `_Server` in a segment of their own: with one that is done again they would be taken back and not made again.
  private func changeRows(_ operations: String) {
    guard let serverDatabase else { return }
    closeSegment()
    transactInternally(operations, in: serverDatabase)
    closeSegment()
  }

  private func quoted(_ text: String) -> String {
    var writer = ByteWriter(capacity: text.utf8.count + 2)
    writer.appendQuoted(text)
    return writer.string
  }

  /// Runs a transaction of the server's own.
  ///
  /// - Parameter operations: an array of operations as JSON text.
  func transactInternally(_ operations: String, in database: ServedDatabase) {
    let document: JSONDocument
    do {
      document = try JSONDocument.parse("[\"\(database.name)\"," + operations.dropFirst())
    } catch {
      databaseLog.error("\(database.name): the server's own transaction is malformed: \(error)")
      return
    }
    var result = ByteWriter()
    let previousID = database.database.lastCommitID
    let outcome = document.withRoot { params in
      database.database.transact(params: params, context: TransactionContext(), into: &result)
    }
    switch outcome {
    case .committed(let commit?, _):
      if let error = record(commit, in: database, previousID: previousID) {
        databaseLog.error("\(database.name): the server's own transaction failed: \(error)")
      }
    case .committed(nil, _): break
    case .failed, .blocked, .exceeded: databaseLog.error("\(database.name): the server's own transaction failed: \(result.string)")
    }
    scheduleClosing()
  }
}

private let serverSchemaText = """
  {"name":"_Server","version":"1.2.0","cksum":"3009684573 744","tables":{"Database":{"columns":{
  "name":{"type":"string"},
  "model":{"type":{"key":{"type":"string","enum":["set",["standalone","clustered","relay"]]}}},
  "connected":{"type":"boolean"},
  "leader":{"type":"boolean"},
  "schema":{"type":{"key":{"type":"string"},"min":0,"max":1}},
  "cid":{"type":{"key":{"type":"uuid"},"min":0,"max":1}},
  "sid":{"type":{"key":{"type":"uuid"},"min":0,"max":1}},
  "index":{"type":{"key":{"type":"integer"},"min":0,"max":1}}}}}}
  """
