// SPDX-License-Identifier: Apache-2.0
//
// Commands of our own for files that are damaged: `check` says what is wrong and changes nothing, `salvage` copies what is good.

import Daemon
import Glibc
import Journal
import OVSDB

enum RepairCommands {
  /// Examines a file: every record, then whether they make a database.
  ///
  /// - Returns: 0 for a good file, 2 for one that is damaged or does not make a database.
  @Sendable static func check(_ invocation: Invocation) throws(ToolError) -> Int32 {
    let path = invocation.database
    var survey = Survey()
    let meter = ToolProgress.meter("check", path: path)
    defer { meter.finish() }
    try ToolError.wrapping { () throws(LogError) in try survey.walk(path, meter) { _ in } }
    guard survey.gaps.isEmpty else {
      meter.finish()
      for gap in survey.gaps { Program.writeOutput("\(path): \(gap.text)\n") }
      Program.writeOutput("\(path): \(survey.goodCount) good records; ovsdb-tool salvage copies them into a new file\n")
      if survey.lacksSchema { Program.writeOutput("\(path): salvage: \(LogError.schemaAdvice)\n") }
      return InspectCommands.no
    }
    meter.begin("check: rows", of: ToolProgress.byteCount(of: path))
    do throws(LogError) {
      if survey.kind == .standalone { _ = try DatabaseFile.read(path) { meter.advance(to: Int64($0)) } }
    } catch {
      meter.finish()
      Program.writeOutput("\(path): records are intact, but do not make a database: \(error)\n")
      if survey.lacksSchema { Program.writeOutput("\(path): salvage: \(LogError.schemaAdvice)\n") }
      return InspectCommands.no
    }
    meter.finish()
    Program.writeOutput("\(path): \(survey.goodCount) records, no damage\n")
    return EXIT_SUCCESS
  }

  /// Copies the good records of a standalone file, those behind damage as well, as far as they fit what came before.
  ///
  /// Shape: `salvage DB DST [SCHEMA]`; the schema file stands in for record 0, for the case that it is damaged.
  ///
  /// - Returns: 0 when the new file makes a database, even if records were left out (told on standard error).
  @Sendable static func salvage(_ invocation: Invocation) throws(ToolError) -> Int32 {
    let (path, destination) = (invocation.arguments[0], invocation.arguments[1])
    var schema: DatabaseSchema?
    if let file = invocation.argument(2) { schema = try SchemaFile.read(file) }
    let hasSchema = schema != nil
    let meter = ToolProgress.meter("salvage", path: path)
    defer { meter.finish() }
    return try ToolError.wrapping { () throws(LogError) in
      if try DatabaseFile.kind(of: path) == .clustered { throw LogError.clustered(path) }
      var survey = Survey()
      var copier = try DatabaseFile.Salvage(path: path, destination: destination, schema: schema)
      try survey.walk(path, meter) { (record) throws(LogError) in
        if hasSchema, record.start == 0 { return }
        if let problem = try copier.add(record) {
          Program.writeError("\(path): record at offset \(record.start) does not fit, left out: \(problem)\n")
        }
      }
      for gap in survey.gaps { Program.writeError("\(path): \(gap.text)\n") }
      let count = try copier.finish()
      meter.finish()
      Program.writeOutput("\(destination): \(count) records\n")
      return EXIT_SUCCESS
    }
  }
}

/// The good records of a file and the gaps between them.
private struct Survey {
  struct Gap {
    var start: Int
    /// Nil at the end of the file.
    var end: Int?
    var cause: LogError

    var text: String {
      let range = end.map { "bytes \(start) to \($0) are damaged" } ?? "everything from byte \(start) on is damaged"
      return "\(range): \(cause)"
    }
  }

  var kind = FileKind.standalone
  var goodCount = 0
  var gaps: [Gap] = []
  /// A standalone file without a good record 0.
  var lacksSchema: Bool { kind == .standalone && !hasSchema }
  private var hasSchema = false

  /// Gives every good record to `body`, in order.
  mutating func walk(_ path: String, _ meter: ProgressMeter, _ body: (Record) throws(LogError) -> Void) throws(LogError) {
    var reader = try RecordReader(path: path, accepting: [.standalone, .clustered])
    kind = reader.kind
    while true {
      switch reader.attempt() {
      case .end: return
      case .record(let record):
        goodCount += 1
        if record.start == 0, kind == .standalone { hasSchema = (try? DatabaseFile.schema(of: record, path: path)) != nil }
        try body(record)
        meter.advance(to: Int64(record.offset))
      case .bad(let error):
        // A system's error says nothing about the file's contents.
        if error.code != nil { throw error }
        let start = reader.position
        let next = try reader.skipToGoodRecord()
        gaps.append(Gap(start: start, end: next, cause: error))
        if next == nil { return }
      }
    }
  }
}
