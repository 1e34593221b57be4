// SPDX-License-Identifier: Apache-2.0
//
// Commands about files of cluster members. We read them, tell what they are, and make standalone files of them; we do not run
// clusters, so the commands that make members say so.

import Daemon
import Engine
import Glibc
import JSON
import Journal
import OVSDB

enum ClusterCommands {
  @Sendable static func clusterID(_ invocation: Invocation) throws(ToolError) -> Int32 {
    let path = invocation.arguments[0]
    guard let id = try ClusterFile.header(path).clusterID else {
      var error = ToolError("\(path): cluster ID not yet known", status: InspectCommands.no)
      error.hasProgramName = false
      throw error
    }
    return print(id)
  }

  @Sendable static func serverID(_ invocation: Invocation) throws(ToolError) -> Int32 {
    try print(ClusterFile.header(invocation.arguments[0]).serverID)
  }

  @Sendable static func localAddress(_ invocation: Invocation) throws(ToolError) -> Int32 {
    try print(ClusterFile.header(invocation.arguments[0]).localAddress)
  }

  private static func print(_ line: String) -> Int32 {
    Program.writeOutput("\(line)\n")
    return EXIT_SUCCESS
  }

  @Sendable static func create(_ invocation: Invocation) throws(ToolError) -> Int32 { throw unsupported("create-cluster") }
  @Sendable static func join(_ invocation: Invocation) throws(ToolError) -> Int32 { throw unsupported("join-cluster") }
  @Sendable static func check(_ invocation: Invocation) throws(ToolError) -> Int32 { throw unsupported("check-cluster") }

  private static func unsupported(_ command: String) -> ToolError {
    ToolError("\(command): clustered databases are not supported; use a standalone database (create)")
  }

  // MARK: - cluster-to-standalone

  @Sendable static func toStandalone(_ invocation: Invocation) throws(ToolError) -> Int32 {
    let (output, input) = (invocation.arguments[0], invocation.arguments[1])
    var transcript = StandaloneTranscript(path: input)
    do throws(LogError) {
      var reader = try RecordReader(path: input, accepting: [.standalone, .clustered])
      guard reader.kind == .clustered else { throw LogError.notClustered(input) }
      while let record = try reader.next() {
        let document = try record.document(of: input)
        defer { withExtendedLifetime(document) {} }
        try transcript.add(document.root, isFirst: record.index == 0)
      }
      try transcript.write(to: output)
    } catch where error == .notClustered(input) {
      throw ToolError("Database is not clustered db.\n")
    } catch {
      throw ToolError(error)
    }
    return EXIT_SUCCESS
  }
}

/// The records of a standalone file made of those of a cluster member.
///
/// Entries follow each other in the order of the file, committed or not, as a member that is the last one left has nobody to
/// ask. An entry with an index that was there before replaces what it was and all that followed: the leader of a later term
/// overwrote them. An entry with a schema starts over with it.
private struct StandaloneTranscript {
  let path: String
  private var schema: [UInt8]?
  private var records: [(index: Int64, data: [UInt8])] = []

  init(path: String) { self.path = path }

  mutating func add(_ root: JSONValue, isFirst: Bool) throws(LogError) {
    if isFirst {
      _ = try ClusterFile.parseHeader(root)
      guard let data = root.member("prev_data") else {
        throw LogError(.ovsdbError, "\(path): this server has not joined its cluster yet, so the file holds no data")
      }
      guard data.kind == .array, data.count == 2, data[0]?.kind == .object else {
        throw LogError(
          .syntaxError,
          data.kind == .array && data.count != 2 ? "Incorrect raft header data array length" : "Invalid raft header data")
      }
      try add(data, index: root.member("prev_index")?.integer ?? 0)
      return
    }
    guard let data = root.member("data"), !data.isNull else { return }
    guard data.kind == .array, data.count == 2 else {
      throw LogError(.syntaxError, "Incorrect raft record array length")
    }
    try add(data, index: root.member("index")?.integer ?? 0)
  }

  private mutating func add(_ data: JSONValue, index: Int64) throws(LogError) {
    while let last = records.last, last.index >= index { records.removeLast() }
    if let schemaJSON = data[0], schemaJSON.kind == .object {
      let new = try parsed(schemaJSON)
      if data[1]?.kind == .object {
        records = []
      } else if schema != nil {
        records = [(index, try converted(to: new))]
      }
      schema = bytes { new.write(to: &$0) }
    }
    if let transaction = data[1], transaction.kind == .object {
      records.append((index, bytes { transaction.write(to: &$0) }))
    }
  }

  private func bytes(_ write: (inout ByteWriter) -> Void) -> [UInt8] {
    var writer = ByteWriter(capacity: 1024)
    write(&writer)
    return writer.bytes
  }

  private func parsed(_ json: JSONValue) throws(LogError) -> DatabaseSchema {
    do throws(OVSDBError) {
      return try DatabaseSchema(json: json)
    } catch {
      throw LogError(error)
    }
  }

  /// What came so far, under another schema, as one record.
  private func converted(to schema: DatabaseSchema) throws(LogError) -> [UInt8] {
    let database = try DatabaseFile.assemble(allRecords, path: path)
    do throws(OVSDBError) {
      let result = try Conversion.convert(database.snapshot, to: schema, rules: .offline)
      return bytes {
        TransactionRecord.write(
          result.snapshot, comment: "converted by ovsdb-tool", dateMilliseconds: Clock.wallMilliseconds(),
          isDifference: false, into: &$0)
      }
    } catch {
      throw LogError(error)
    }
  }

  private var allRecords: [[UInt8]] { (schema.map { [$0] } ?? []) + records.map(\.data) }

  func write(to output: String) throws(LogError) {
    let log = try LogFile.create(path: output)
    for record in allRecords { log.append(record) }
    try log.persistCreation()
  }
}
