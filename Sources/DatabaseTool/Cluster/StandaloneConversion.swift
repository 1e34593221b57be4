// SPDX-License-Identifier: Apache-2.0
//
// `cluster-to-standalone`: the file of a cluster's member made into one that a server serves alone.
//
// The log is read twice. The first reading decides which entries count (LogPlan); the second copies them, each as it stands. So
// memory holds a few bytes for each entry, and a database only where an entry says "convert what you have".
//
//   * The snapshot of the header comes first, then the entries in the order of their indexes, committed or not: who is the last one
//     left has nobody to ask. (3.1.0 does the same.)
//   * An entry with the index of an earlier one replaces that and all behind it: a later leader overwrote them. (3.1.0 copies both.)
//   * An entry with a schema and data starts over; one with a schema alone converts what came before. (3.1.0 ignores the schema.)
//   * A record that a crash cut off, with nothing good behind it, ends the log, as it does for the server; it is told.

import Daemon
import Engine
import Glibc
import JSON
import Journal
import OVSDB

enum StandaloneConversion {
  /// - Parameter warn: gets what is left out of the output.
  /// - Throws: what is wrong with the input, or with the output, which must not exist; then there is no output.
  static func run(
    from input: String, to output: String,
    warn: (String) -> Void = { Program.writeError("\(Program.name): warning: \($0)\n") }
  ) throws(ToolError) {
    var plan = LogPlan()
    let meter = ToolProgress.meter("cluster-to-standalone: reading", path: input)
    defer { meter.finish() }
    try forEachGoodRecord(of: input, meter, warn: warn) { (root, number) throws(ToolError) in
      try plan.add(root, number: number, path: input, warn: warn)
    }
    try plan.finish(path: input)
    meter.begin("cluster-to-standalone: writing", of: ToolProgress.byteCount(of: input))
    var writer = try StandaloneWriter(path: output)
    do throws(ToolError) {
      try writer.copy(plan, of: input, meter)
    } catch {
      try writer.remove()
      throw error
    }
  }

  /// As `ClusterFile.forEachRecord`, up to the end that a crash may have left.
  fileprivate static func forEachGoodRecord(
    of path: String, _ meter: ProgressMeter, warn: (String) -> Void, _ body: (JSONValue, Int) throws(ToolError) -> Void
  ) throws(ToolError) {
    var reader = try ClusterFile.open(path)
    while true {
      let number = reader.index
      let document: JSONDocument
      do throws(LogError) {
        switch reader.attempt() {
        case .end: return
        case .record(let record):
          document = try record.document(of: path)
          meter.advance(to: Int64(record.offset))
        case .bad(let error):
          if number == 0 || error.code != nil { throw error }
          if try reader.skipToGoodRecord() != nil { throw error }
          return warn("\(error); the log ends before this record, which a crash may have cut off")
        }
      } catch {
        throw ToolError(error)
      }
      defer { withExtendedLifetime(document) {} }
      try body(document.root, number)
    }
  }
}

/// Which records of a member's file make the database.
private struct LogPlan {
  private struct Item {
    var index: UInt64
    var record: Int
    var hasSchema: Bool
    var hasData: Bool
  }

  /// In the order of the file, the header first.
  private var items: [Item] = []
  private var snapshotIndex: UInt64 = 0
  private var nextIndex: UInt64 = 0

  /// The record that the result starts with: the header, or the last entry with a schema and data.
  private(set) var first = 0
  /// The last record behind `first` that converts what came before it.
  private(set) var lastConversion: Int?
  private var kept: Set<Int> = []

  func contains(_ record: Int) -> Bool { record >= first && (isWhole || kept.contains(record)) }

  /// Whether no entry was replaced, so that there is no need to remember each.
  private var isWhole: Bool { kept.isEmpty }
  private var leavesOut = false

  mutating func add(_ root: JSONValue, number: Int, path: String, warn: (String) -> Void) throws(ToolError) {
    if number == 0 { return try addHeader(root, path: path) }
    let record = try ToolError.parsing { () throws(OVSDBError) in try ClusterRecord(json: root) }
    guard case .entry(let entry) = record.content else { return }
    if entry.index <= snapshotIndex {
      warn(
        """
        \(path): record \(number) with index \(entry.index) is left out, because the snapshot up to index \(snapshotIndex) has it
        """)
      leavesOut = true
      return
    }
    if entry.index > nextIndex {
      throw ToolError("\(path): record \(number) with index \(entry.index) skips past expected index \(nextIndex)")
    }
    while let last = items.last, last.index >= entry.index, last.record > 0 {
      items.removeLast()
      leavesOut = true
    }
    nextIndex = entry.index + 1
    guard let data = entry.data else { return }
    guard data.count == 2, let schema = data[0], let transaction = data[1] else {
      throw ToolError("Incorrect raft record array length")
    }
    let item = Item(
      index: entry.index, record: number, hasSchema: schema.kind == .object, hasData: transaction.kind == .object)
    guard schema.isNull || item.hasSchema, transaction.isNull || item.hasData else {
      throw ToolError("\(path): record \(number) holds data that are no schema and transaction")
    }
    if item.hasSchema || item.hasData { items.append(item) }
  }

  private mutating func addHeader(_ root: JSONValue, path: String) throws(ToolError) {
    let header = try ToolError.parsing { () throws(OVSDBError) in try ClusterHeader(json: root) }
    guard let snapshot = header.snapshot, let data = snapshot.data else {
      throw ToolError("\(path): this server has not joined its cluster yet, so the file holds no data")
    }
    guard data.kind == .array else { throw ToolError("Invalid raft header data") }
    guard data.count == 2 else { throw ToolError("Incorrect raft header data array length") }
    guard data[0]?.kind == .object, data[1]?.kind == .object || data[1]?.isNull == true else {
      throw ToolError("Invalid raft header data")
    }
    try ClusterFile.checkRoom(behind: snapshot, path)
    snapshotIndex = snapshot.index
    nextIndex = snapshot.index + 1
    items = [Item(index: snapshot.index, record: 0, hasSchema: true, hasData: data[1]?.kind == .object)]
  }

  /// To be called after the last record.
  mutating func finish(path: String) throws(ToolError) {
    guard !items.isEmpty else { throw ToolError("\(path): cannot identify file type") }
    first = items.last { $0.hasSchema && $0.hasData }?.record ?? 0
    lastConversion = items.last { $0.hasSchema && !$0.hasData && $0.record > first }?.record
    if leavesOut { kept = Set(items.map(\.record)) }
    items = []
  }
}

/// The new file.
private struct StandaloneWriter: ~Copyable {
  private let path: String
  private let log: LogFile
  private var pendingByteCount = 0

  private static let writeByteCount = 1 << 20

  init(path: String) throws(ToolError) {
    self.path = path
    log = try ToolError.wrapping { () throws(LogError) in try LogFile.create(path: path) }
  }

  mutating func copy(_ plan: LogPlan, of input: String, _ meter: ProgressMeter) throws(ToolError) {
    // Nil where no conversion comes any more, and records go straight into the file.
    var growing = plan.lastConversion.map { _ in GrowingDatabase(path: input) }
    try StandaloneConversion.forEachGoodRecord(of: input, meter, warn: { _ in }) { (root, number) throws(ToolError) in
      guard plan.contains(number), let data = root.member(number == 0 ? "prev_data" : "data"), data.kind == .array else { return }
      let (schema, transaction) = (data[0], data[1])
      if growing != nil {
        try growing?.add(schema: schema, transaction: transaction)
        guard number == plan.lastConversion, let database = growing?.database else { return }
        try add(database)
        growing = nil
        return
      }
      // A schema behind the first one came with data, or was dealt with above.
      if number == plan.first, let schema { try add(schema: schema) }
      if let transaction, transaction.kind == .object { try add(transaction) }
    }
    try ToolError.wrapping { () throws(LogError) in try log.persistCreation() }
  }

  private mutating func add(_ json: JSONValue) throws(ToolError) {
    var writer = ByteWriter(capacity: 1024)
    json.write(to: &writer)
    try add(writer)
  }

  private func add(schema json: JSONValue) throws(ToolError) {
    log.append(try ToolError.parsing { () throws(OVSDBError) in try DatabaseSchema(json: json) })
  }

  private mutating func add(_ writer: borrowing ByteWriter) throws(ToolError) {
    writer.withBytes { log.append($0) }
    pendingByteCount += writer.count
    guard pendingByteCount >= Self.writeByteCount else { return }
    pendingByteCount = 0
    try ToolError.wrapping { () throws(LogError) in try log.flush() }
  }

  /// Everything up to a conversion, as a schema and one transaction.
  private mutating func add(_ database: Database) throws(ToolError) {
    log.append(database.schema)
    var writer = ByteWriter(capacity: 1 << 16)
    TransactionRecord.write(
      database.snapshot, comment: "converted by ovsdb-tool \(Program.compatibleVersion)", dateMilliseconds: Clock.wallMilliseconds(),
      isDifference: false, into: &writer)
    try add(writer)
  }

  /// What was written so far does not stay behind.
  func remove() throws(ToolError) {
    do throws(Journal.SystemError) {
      try FileSystem.system.remove(FileSystem.system.resolved(path))
    } catch where error.code == ENOENT {
      // The log has removed it already.
    } catch {
      throw ToolError(LogError.failed(path, "removing the incomplete file failed", error))
    }
  }
}

/// A database that follows the log up to its last conversion.
private struct GrowingDatabase {
  let path: String
  /// The schema, then transactions since the last conversion.
  private var records: [[UInt8]] = []
  private(set) var database: Database?

  init(path: String) { self.path = path }

  mutating func add(schema: JSONValue?, transaction: JSONValue?) throws(ToolError) {
    if let schema, schema.kind == .object {
      let parsed = try ToolError.parsing { () throws(OVSDBError) in try DatabaseSchema(json: schema) }
      if records.isEmpty || transaction?.kind == .object {
        records = [bytes { parsed.write(to: &$0) }]
      } else {
        try convert(to: parsed)
      }
    }
    if let transaction, transaction.kind == .object { records.append(bytes { transaction.write(to: &$0) }) }
  }

  private mutating func convert(to schema: DatabaseSchema) throws(ToolError) {
    let records = records
    let current = try ToolError.wrapping { () throws(LogError) in try DatabaseFile.assemble(records, path: path) }
    let result = try ToolError.parsing { () throws(OVSDBError) in
      try Conversion.convert(current.snapshot, to: schema, rules: .offline)
    }
    database = result
    self.records = [
      bytes { schema.write(to: &$0) },
      bytes {
        TransactionRecord.write(
          result.snapshot, comment: "", dateMilliseconds: Clock.wallMilliseconds(), isDifference: false, into: &$0)
      },
    ]
  }

  private func bytes(_ write: (inout ByteWriter) -> Void) -> [UInt8] {
    var writer = ByteWriter(capacity: 1024)
    write(&writer)
    return writer.bytes
  }
}
