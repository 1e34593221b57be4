// SPDX-License-Identifier: Apache-2.0
//
// What a monitor's arguments ask for: tables, columns, kinds of changes, a condition.

import JSON
import OVSDB

/// One table to be monitored.
struct MonitoredTable: Sendable {
  let schema: TableSchema
  /// In the order in which they are printed: as given; all of them by name, `_version` last.
  private(set) var columns: [ColumnSchema] = []
  private var requests: [Request] = []
  private let condition: JSONDocument?

  private struct Request {
    var columns: [ColumnSchema]
    /// The kinds of changes not to be told.
    var hidden: [String]
  }

  private static let kinds = ["initial", "insert", "delete", "modify"]

  /// - Parameters:
  ///   - arguments: `COLUMN,...` each, where `!KIND` hides a kind of change; none means all columns.
  ///   - database: its name, for messages.
  ///   - server: the server's name, for messages.
  init(
    _ schema: TableSchema, arguments: [String], condition: JSONDocument?, database: String, server: String
  ) throws {
    self.schema = schema
    self.condition = condition
    for argument in arguments.isEmpty ? [""] : arguments {
      var request = Request(columns: [], hidden: [])
      for word in argument.split(separator: ",").map(String.init) {
        if word.hasPrefix("!"), Self.kinds.contains(String(word.dropFirst())) {
          request.hidden.append(String(word.dropFirst()))
          continue
        }
        guard let column = schema.column(named: word) else {
          throw ToolFailure("\(server): table \"\(schema.name)\" in \(database) does not have a column named \"\(word)\"")
        }
        try add(column, server)
        request.columns.append(column)
      }
      if request.columns.isEmpty {
        request.columns = schema.columns + [.version]
        for column in request.columns { try add(column, server) }
      }
      requests.append(request)
    }
  }

  private mutating func add(_ column: ColumnSchema, _ server: String) throws {
    guard !columns.contains(where: { $0 === column }) else {
      throw ToolFailure("\(server): column \"\(column.name)\" mentioned multiple times")
    }
    columns.append(column)
  }

  /// Appends `[<monitor-request>, ...]`.
  func write(to writer: inout ByteWriter) {
    writer.append("[")
    for (index, request) in requests.enumerated() {
      writer.append(index > 0 ? ",{\"columns\":[" : "{\"columns\":[")
      writer.append(utf8: request.columns.map { "\"\($0.name)\"" }.joined(separator: ","))
      writer.append("]")
      if !request.hidden.isEmpty {
        let selected = Self.kinds.map { "\"\($0)\":\(!request.hidden.contains($0))" }
        writer.append(utf8: ",\"select\":{\(selected.joined(separator: ","))}")
      }
      if let condition {
        writer.append(",\"where\":")
        condition.root.write(to: &writer)
      }
      writer.append("}")
    }
    writer.append("]")
  }
}

/// Checks a condition before the server does, so that the message names the mistake.
func parseCondition(_ text: String, _ table: TableSchema) throws -> JSONDocument {
  let document = try parseArgument(text)
  guard document.root.kind == .array else { throw ToolFailure("\"\(text)\": condition is not an array of clauses") }
  do {
    _ = try Condition(json: document.root, table: table, symbols: nil)
  } catch {
    throw ToolFailure("\(error)")
  }
  return document
}
