// SPDX-License-Identifier: Apache-2.0
//
// Takes an operation's JSON object apart. Every operation of every transaction comes this way, so the usual case is one pass over the
// members; whatever is unusual is read again by `ObjectParser`, which knows how to complain.

import JSON
import OVSDB

/// The members of an operation, whichever it is.
struct OperationMembers {
  let json: JSONValue
  /// The operation's place among the transaction's, from 1, and how many there are: messages name both.
  let position: Int
  let count: Int

  private(set) var op: JSONValue?
  private(set) var table: JSONValue?
  private(set) var row: JSONValue?
  private(set) var condition: JSONValue?
  private(set) var columns: JSONValue?
  private(set) var sort: JSONValue?
  private(set) var mutations: JSONValue?
  private(set) var until: JSONValue?
  private(set) var rows: JSONValue?
  private(set) var timeout: JSONValue?
  private(set) var durable: JSONValue?
  private(set) var comment: JSONValue?
  private(set) var lock: JSONValue?
  private(set) var uuidName: JSONValue?
  private(set) var uuid: JSONValue?
  private var hasUnknown = false

  init(_ json: JSONValue, position: Int, count: Int) {
    self.json = json
    self.position = position
    self.count = count
    for (name, value) in json.members { assign(name, value) }
  }

  private mutating func assign(_ name: JSONValue, _ value: JSONValue) {
    if name.isString("op") {
      op = value
    } else if name.isString("table") {
      table = value
    } else if name.isString("where") {
      condition = value
    } else if name.isString("row") {
      row = value
    } else if name.isString("columns") {
      columns = value
    } else if name.isString("mutations") {
      mutations = value
    } else if name.isString("uuid-name") {
      uuidName = value
    } else if name.isString("uuid") {
      uuid = value
    } else if name.isString("until") {
      until = value
    } else if name.isString("rows") {
      rows = value
    } else if name.isString("timeout") {
      timeout = value
    } else if name.isString("durable") {
      durable = value
    } else if name.isString("comment") {
      comment = value
    } else if name.isString("lock") {
      lock = value
    } else if name.isString("sort") {
      sort = value
    } else {
      hasUnknown = true
    }
  }

  /// Checks presence and kind of the members an operation takes.
  ///
  /// - Throws: `.syntaxError` "Parsing ovsdb operation I of N failed: ...".
  func check(_ expected: [Expectation], schema: DatabaseSchema) throws(OVSDBError) -> TableSchema? {
    var table: TableSchema?
    if !hasUnknown, fits(expected, schema, &table) { return table }
    var parser = ObjectParser(json, "ovsdb operation \(position) of \(count)")
    _ = parser.required("op", .string)
    for member in expected {
      let value = member.isRequired ? parser.required(member.name, member.kind) : parser.optional(member.name, member.kind)
      if let value, member.isTable {
        table = schema.table(value)
        if table == nil { parser.fail("No table named \(value.words).") }
      }
    }
    if let error = parser.finish() { throw error }
    return table
  }

  private func value(of member: Expectation.Member) -> JSONValue? {
    switch member {
    case .table: table
    case .row: row
    case .condition: condition
    case .columns: columns
    case .sort: sort
    case .mutations: mutations
    case .until: until
    case .rows: rows
    case .timeout: timeout
    case .durable: durable
    case .comment: comment
    case .lock: lock
    case .uuidName: uuidName
    case .uuid: uuid
    }
  }

  /// Whether the usual members are all there is, and of the right kind.
  private func fits(_ expected: [Expectation], _ schema: DatabaseSchema, _ table: inout TableSchema?) -> Bool {
    var found = 1
    for member in expected {
      guard let value = value(of: member.member) else {
        if member.isRequired { return false }
        continue
      }
      found += 1
      switch member.kind {
      case .object: if value.kind != .object { return false }
      case .array: if value.kind != .array { return false }
      case .string: if value.kind != .string { return false }
      case .boolean: if value.boolean == nil { return false }
      case .integer: if value.kind != .integer { return false }
      case .id: guard let bytes = value.utf8, isID(bytes) else { return false }
      case .any, .number, .stringOrObject, .integerOrString: return false
      }
      if member.isTable {
        table = schema.table(value)
        if table == nil { return false }
      }
    }
    return found == json.count
  }
}

/// What an operation expects of one of its members.
struct Expectation: Sendable {
  /// Which of the members; a key path would be looked up at run time for each operation.
  enum Member: Sendable {
    case table, row, condition, columns, sort, mutations, until, rows, timeout, durable, comment, lock, uuidName, uuid
  }

  let member: Member
  let name: StaticString
  let kind: ObjectParser.Expected
  let isRequired: Bool
  /// Whether it names a table of the schema.
  var isTable = false

  static let table = Expectation(member: .table, name: "table", kind: .id, isRequired: true, isTable: true)
  static let row = Expectation(member: .row, name: "row", kind: .object, isRequired: true)
  static let condition = Expectation(member: .condition, name: "where", kind: .array, isRequired: true)
  static let columns = Expectation(member: .columns, name: "columns", kind: .array, isRequired: false)
  static let sort = Expectation(member: .sort, name: "sort", kind: .array, isRequired: false)
  static let mutations = Expectation(member: .mutations, name: "mutations", kind: .array, isRequired: true)
  static let until = Expectation(member: .until, name: "until", kind: .string, isRequired: true)
  static let rows = Expectation(member: .rows, name: "rows", kind: .array, isRequired: true)
  static let timeout = Expectation(member: .timeout, name: "timeout", kind: .integer, isRequired: false)
  static let durable = Expectation(member: .durable, name: "durable", kind: .boolean, isRequired: true)
  static let comment = Expectation(member: .comment, name: "comment", kind: .string, isRequired: true)
  static let lock = Expectation(member: .lock, name: "lock", kind: .id, isRequired: true)
  static let uuidName = Expectation(member: .uuidName, name: "uuid-name", kind: .id, isRequired: false)
  static let uuid = Expectation(member: .uuid, name: "uuid", kind: .string, isRequired: false)
}
