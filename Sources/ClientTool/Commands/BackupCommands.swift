// SPDX-License-Identifier: Apache-2.0
//
// `backup` and `restore`: a served database to and from the form of a database file.

import Client
import Daemon
import Engine
import Glibc
import Journal
import JSON
import OVSDB

/// Writes a file that a server could open: the schema, and one transaction with every row in full.
func backup(_ target: Target) async throws {
  guard isatty(STDOUT_FILENO) == 0 else {
    throw ToolFailure("not writing backup to a terminal; please redirect stdout to a file")
  }
  let session = try target.connected
  let schema = try await fetchSchema(session, target.database)
  var writer = ByteWriter(capacity: 1024)
  writer.append("[")
  writer.appendQuoted(target.database)
  for table in schema.tables {
    writer.append(",{\"op\":\"select\",\"table\":")
    writer.appendQuoted(table.name)
    writer.append(",\"where\":[],\"columns\":[")
    for column in [.uuid] + table.columns where column.isPersistent {
      if column !== ColumnSchema.uuid { writer.append(",") }
      writer.appendQuoted(column.name)
    }
    writer.append("]}")
  }
  writer.append("]")
  let meter = ProgressMeter("backup", in: .things("rows"))
  defer { meter.finish() }
  let record = try BackupRecord(schema)
  let reply = try await select(session, writer.bytes) { table, row in
    meter.advance(by: 1)
    record.add(row, of: table)
  }
  try record.finish(reply)
  var bytes: [UInt8] = []
  var schemaRecord = ByteWriter(capacity: 4096)
  schema.write(to: &schemaRecord)
  schemaRecord.withBytes { TransactionRecord.frame($0, into: &bytes) }
  Output.write(bytes)
  Output.write(record.header)
  try record.forEachPiece { Output.write($0) }
}

/// The record with all rows. Its length and hash stand before it in the file, so it goes through a temporary one.
///
/// `@unchecked Sendable` because it is used by the event loop until the reply is there, and only then by the task that waited for it.
private final class BackupRecord: @unchecked Sendable {
  private let schema: DatabaseSchema
  private let file: TemporaryFile
  private var hasher = RecordHasher()
  private var writer = ByteWriter(capacity: 4096)
  /// The table that the last row was of.
  private var table: Int?
  private var failure: ToolFailure?

  init(_ schema: DatabaseSchema) throws(ToolFailure) {
    self.schema = schema
    file = try TemporaryFile()
    writer.append("{\"_comment\":\"produced by \\\"ovsdb-client backup\\\"\",\"_date\":")
    writer.appendInteger(Clock.wallMilliseconds())
    writer.append(",\"_is_diff\":true")
  }

  /// Takes a row of a table, given by its place in the schema, as JSON text.
  func add(_ text: UnsafeRawBufferPointer, of index: Int) {
    guard failure == nil, schema.tables.indices.contains(index) else { return }
    do throws(ToolFailure) {
      if table == index {
        writer.append(",")
      } else {
        if table != nil { writer.append("}") }
        table = index
        writer.append(",")
        writer.appendQuoted(schema.tables[index].name)
        writer.append(":{")
      }
      let row: JSONDocument
      do {
        row = try JSONDocument.parse(text, anyValue: true)
      } catch {
        throw ToolFailure("\(schema.tables[index].name) table reply has a row that is not JSON: \(error)")
      }
      try row.withRoot { (row) throws(ToolFailure) in try write(row, of: schema.tables[index]) }
      try flush()
    } catch {
      failure = error
    }
  }

  /// Appends `"UUID":{COLUMN:VALUE,...}`.
  private func write(_ row: JSONValue, of table: TableSchema) throws(ToolFailure) {
    guard row.kind == .object else { throw ToolFailure("\(table.name) table reply row is not an object: \(row.text())") }
    guard let uuid = row.member("_uuid")?[1]?.string else {
      throw ToolFailure("\(table.name) table reply row lacks _uuid member: \(row.text())")
    }
    writer.appendQuoted(uuid)
    writer.append(":{")
    var isFirst = true
    for (name, value) in row.members where !name.isString("_uuid") {
      if !isFirst { writer.append(",") }
      isFirst = false
      name.write(to: &writer)
      writer.append(":")
      value.write(to: &writer)
    }
    writer.append("}")
  }

  private func flush() throws(ToolFailure) {
    try writer.withBytes { (bytes) throws(ToolFailure) in
      hasher.update(bytes)
      try file.append(bytes)
    }
    writer.removeAll()
  }

  /// Checks the reply, its rows left out, and ends the record.
  func finish(_ reply: JSONDocument) throws(ToolFailure) {
    if let failure { throw failure }
    guard reply.root.kind == .array, reply.root.count == schema.tables.count else {
      throw ToolFailure("reply is not array of \(schema.tables.count) elements: \(reply.root.text())")
    }
    for (table, result) in zip(schema.tables, reply.root.elements) {
      guard let rows = result.member("rows"), rows.kind == .array else {
        throw ToolFailure("\(table.name) table reply is not an object with a \"rows\" member array: \(result.text())")
      }
    }
    if table != nil { writer.append("}") }
    writer.append("}")
    try flush()
    try file.append([UInt8(ascii: "\n")])
  }

  var header: [UInt8] { hasher.header() }

  func forEachPiece(_ body: ([UInt8]) throws(ToolFailure) -> Void) throws(ToolFailure) { try file.forEachPiece(body) }
}

/// Replaces the contents of a served database by those of a file, in one transaction. Rows get new UUIDs.
func restore(_ target: Target) async throws {
  guard isatty(STDIN_FILENO) == 0 else {
    throw ToolFailure("not reading backup from a terminal; please redirect stdin from a file")
  }
  let meter = ProgressMeter("restore: reading")
  defer { meter.finish() }
  try makeStandardInputSeekable(meter)
  let backup: Database
  do {
    backup = try DatabaseFile.read("/dev/stdin")
  } catch {
    throw ToolFailure(error.description)
  }
  let session = try target.connected
  let current = try await fetchSchema(session, target.database)
  try compare(backup.schema, current, isForced: target.options.isForced)
  meter.begin("restore: \(backup.tables.reduce(0) { $0 + $1.rows.count }) rows")
  let result = try await call(session, "transact", restoration(backup, target.database))
  guard result.root.kind == .array else { throw ToolFailure("transaction reply is not array: \(result.root.text())") }
  for element in result.root.elements where element.member("error") != nil {
    throw ToolFailure("transaction failed: \(element.text())")
  }
}

/// Notes that the schemas differ, or gives up because of it.
private func compare(_ backup: DatabaseSchema, _ current: DatabaseSchema, isForced: Bool) throws {
  guard backup.text != current.text else { return }
  let (old, new) = (backup.version ?? "", current.version ?? "")
  let difference =
    old == new
    ? "backup schema and database schema are both version \(old) but still differ"
    : "backup schema has version \"\(old)\" but database schema has version \"\(new)\""
  guard isForced else {
    throw ToolFailure(
      "\(difference) (use --force to override differences, or \"ovsdb-client convert\" to change the schema)")
  }
  LogModule("ovsdb_client").info("\(difference)")
}

/// The transaction: every row away, then every row of the backup with a name made of its UUID, so that references stand.
private func restoration(_ backup: Database, _ database: String) -> [UInt8] {
  var writer = ByteWriter(capacity: 1 << 16)
  writer.append("[")
  writer.appendQuoted(database)
  for table in backup.tables {
    writer.append(",{\"op\":\"delete\",\"table\":")
    writer.appendQuoted(table.schema.name)
    writer.append(",\"where\":[]}")
  }
  for table in backup.tables {
    for (uuid, row) in table.rows {
      writer.append(",{\"op\":\"insert\",\"table\":")
      writer.appendQuoted(table.schema.name)
      writer.append(utf8: ",\"uuid-name\":\"\(rowName(uuid))\",\"row\":{")
      var isFirst = true
      for column in table.schema.columns where column.isPersistent {
        if !isFirst { writer.append(",") }
        isFirst = false
        writer.appendQuoted(column.name)
        writer.append(":")
        row[column].writeWithNames(to: &writer, type: column.type)
      }
      writer.append("}}")
    }
  }
  writer.append(",{\"op\":\"comment\",\"comment\":\"ovsdb-client restore\"}]")
  return writer.bytes
}

private func rowName(_ uuid: UUID) -> String {
  "row" + uuid.description.map { $0 == "-" ? "_" : String($0) }.joined()
}

extension Datum {
  /// Like `write`, but with references to other rows by their names in the transaction.
  fileprivate func writeWithNames(to writer: inout ByteWriter, type: ColumnType) {
    guard type.key.reference != nil || type.value?.reference != nil else {
      self.write(to: &writer, type: type)
      return
    }
    func writeAtom(_ atom: Atom, _ base: BaseType) {
      if case .uuid(let uuid) = atom, base.reference != nil {
        writer.append(utf8: "[\"named-uuid\",\"\(rowName(uuid))\"]")
      } else {
        atom.write(to: &writer)
      }
    }
    let keys = keys(of: type.key.type)
    writer.append(type.isMap ? "[\"map\",[" : "[\"set\",[")
    for index in 0..<keys.count {
      if index > 0 { writer.append(",") }
      if type.isMap { writer.append("[") }
      writeAtom(keys[index], type.key)
      if let valueType = type.value, case .map(let pairs) = self {
        writer.append(",")
        writeAtom(pairs.values[index], valueType)
        writer.append("]")
      }
    }
    writer.append("]]")
  }
}

/// A pipe is copied into a file without a name: files of databases are read from more than one place.
private func makeStandardInputSeekable(_ meter: ProgressMeter) throws(ToolFailure) {
  guard lseek(STDIN_FILENO, 0, SEEK_CUR) < 0 else { return }
  let file = try TemporaryFile()
  var chunk = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = read(STDIN_FILENO, &chunk, chunk.count)
    if count == 0 { break }
    if count < 0 {
      if errno == EINTR { continue }
      throw ToolFailure("I/O error: /dev/stdin: read failed (\(SystemError.text(errno)))")
    }
    try file.append(Array(chunk[..<count]))
    meter.advance(by: Int64(count))
  }
  try file.flush()
  guard lseek(file.descriptor, 0, SEEK_SET) == 0, dup2(file.descriptor, STDIN_FILENO) >= 0 else {
    throw ToolFailure("cannot buffer standard input (\(SystemError.text(errno)))")
  }
}
