// SPDX-License-Identifier: Apache-2.0
//
// `backup` and `restore`: a served database to and from the form of a database file.

import Client
import CPosixShims
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
  var select = ByteWriter(capacity: 1024)
  select.append("[")
  select.appendQuoted(target.database)
  for table in schema.tables {
    select.append(",{\"op\":\"select\",\"table\":")
    select.appendQuoted(table.name)
    select.append(",\"where\":[],\"columns\":[")
    for column in [.uuid] + table.columns where column.isPersistent {
      if column !== ColumnSchema.uuid { select.append(",") }
      select.appendQuoted(column.name)
    }
    select.append("]}")
  }
  select.append("]")
  let reply = try await call(session, "transact", select.bytes)
  var bytes: [UInt8] = []
  var record = ByteWriter(capacity: 4096)
  schema.write(to: &record)
  record.withBytes { TransactionRecord.frame($0, into: &bytes) }
  record.removeAll()
  try write(reply.root, of: schema, to: &record)
  record.withBytes { TransactionRecord.frame($0, into: &bytes) }
  Output.write(bytes)
}

/// Appends the transaction record.
private func write(_ reply: JSONValue, of schema: DatabaseSchema, to record: inout ByteWriter) throws {
  record.append("{\"_comment\":\"produced by \\\"ovsdb-client backup\\\"\",\"_date\":")
  record.appendInteger(Clock.wallMilliseconds())
  record.append(",\"_is_diff\":true")
  guard reply.kind == .array, reply.count == schema.tables.count else {
    throw ToolFailure("reply is not array of \(schema.tables.count) elements: \(reply.text())")
  }
  for (table, result) in zip(schema.tables, reply.elements) {
    guard let rows = result.member("rows"), rows.kind == .array else {
      throw ToolFailure("\(table.name) table reply is not an object with a \"rows\" member array: \(result.text())")
    }
    guard rows.count > 0 else { continue }
    record.append(",")
    record.appendQuoted(table.name)
    record.append(":{")
    for (index, row) in rows.elements.enumerated() {
      if index > 0 { record.append(",") }
      try write(row, of: table, to: &record)
    }
    record.append("}")
  }
  record.append("}")
}

/// Appends `"UUID":{COLUMN:VALUE,...}`.
private func write(_ row: JSONValue, of table: TableSchema, to record: inout ByteWriter) throws {
  guard let uuid = row.member("_uuid")?[1]?.string else {
    throw ToolFailure("\(table.name) table reply row lacks _uuid: \(row.text())")
  }
  record.appendQuoted(uuid)
  record.append(":{")
  var isFirst = true
  for (name, value) in row.members where !name.isString("_uuid") {
    if !isFirst { record.append(",") }
    isFirst = false
    name.write(to: &record)
    record.append(":")
    value.write(to: &record)
  }
  record.append("}")
}

/// Replaces the contents of a served database by those of a file, in one transaction. Rows get new UUIDs.
func restore(_ target: Target) async throws {
  guard isatty(STDIN_FILENO) == 0 else {
    throw ToolFailure("not reading backup from a terminal; please redirect stdin from a file")
  }
  try makeStandardInputSeekable()
  let backup: Database
  do {
    backup = try DatabaseFile.read("/dev/stdin")
  } catch {
    throw ToolFailure(error.description)
  }
  let session = try target.connected
  let current = try await fetchSchema(session, target.database)
  try compare(backup.schema, current, isForced: target.options.isForced)
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
private func makeStandardInputSeekable() throws {
  guard lseek(STDIN_FILENO, 0, SEEK_CUR) < 0 else { return }
  let file = posix_shim_anonymous_file()
  guard file >= 0 else { throw ToolFailure("cannot buffer standard input (\(SystemError.text(errno)))") }
  defer { close(file) }
  var chunk = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = read(STDIN_FILENO, &chunk, chunk.count)
    if count == 0 { break }
    if count < 0 {
      if errno == EINTR { continue }
      throw ToolFailure("I/O error: /dev/stdin: read failed (\(SystemError.text(errno)))")
    }
    var begin = 0
    while begin < count {
      let written = chunk[begin..<count].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      guard written > 0 || errno == EINTR else {
        throw ToolFailure("cannot buffer standard input (\(SystemError.text(errno)))")
      }
      begin += max(written, 0)
    }
  }
  guard dup2(file, STDIN_FILENO) >= 0 else { throw ToolFailure("cannot buffer standard input (\(SystemError.text(errno)))") }
}
