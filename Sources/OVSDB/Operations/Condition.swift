// SPDX-License-Identifier: Apache-2.0
//
// Conditions: the `where` of operations, whose clauses must all hold, and of monitors, where one is enough.

import JSON

/// A clause of a condition.
///
/// Shape: `true`, `false` or `[column, function, value]`.
///
/// Source: RFC 7047 §5.1 (`<condition>`); booleans are an extension: Documentation/protocol/transactions.md#conditions.
package enum Clause: Sendable {
  case constant(Bool)
  case comparison(ColumnSchema, ConditionFunction, Datum)

  package init(json: JSONValue, table: TableSchema, symbols: SymbolTable?) throws(OVSDBError) {
    if let constant = json.boolean {
      self = .constant(constant)
      return
    }
    var parts = json.elements.makeIterator()
    guard json.kind == .array, json.count == 3, let name = parts.next(), let functionName = parts.next(),
      let value = parts.next(), name.kind == .string, functionName.kind == .string
    else { throw .syntaxError("Parse error in condition.", at: json) }
    guard let column = table.column(name) else {
      throw OVSDBError(.unknownColumn, "No column \(name.words) in table \(table.name).", at: json)
    }
    guard let function = ConditionFunction(json: functionName) else {
      throw OVSDBError(.unknownFunction, "No function named \(functionName.words).")
    }
    if function == .equal {
      self = .comparison(column, function, try Datum(json: value, column: column, symbols: symbols))
      return
    }
    let operandType = try function.operandType(for: column, at: json)
    self = .comparison(column, function, try Datum(json: value, type: operandType, symbols: symbols))
  }

  /// Whether the clause holds for a row, whose value of its column is `datum`.
  @inline(__always)
  package func holds(_ datum: (ColumnSchema) -> Datum) -> Bool {
    switch self {
    case .constant(let constant): constant
    case .comparison(let column, let function, let operand):
      function.holds(datum(column), operand, column.type)
    }
  }
}

/// The functions of a clause.
package enum ConditionFunction: String, Sendable, CaseIterable {
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case includes
  case excludes

  init?(json: JSONValue) {
    if json.isString("==") {
      self = .equal
    } else {
      self.init(rawValue: json.string ?? "")
    }
  }

  /// The type that the value compared with must have.
  func operandType(for column: ColumnSchema, at clause: JSONValue) throws(OVSDBError) -> ColumnType {
    let type = column.type
    switch self {
    case .equal, .notEqual: return type
    // A scalar is compared as by "==": neither none nor several.
    case .includes: return type.isScalar ? type : type.ofFewer
    case .excludes: return type.isScalar ? type : type.ofAnyCount
    case .less, .lessOrEqual, .greater, .greaterOrEqual:
      guard type.isNumeric, type.isScalar || type.isOptionalScalar else {
        throw .syntaxError(
          "Type mismatch: \"\(rawValue)\" operator may not be applied to column \(column.name) of type \(type.english).",
          at: clause)
      }
      return ColumnType(key: type.key)
    }
  }

  package func holds(_ datum: Datum, _ operand: Datum, _ type: ColumnType) -> Bool {
    switch self {
    case .equal: return datum == operand
    case .notEqual: return datum != operand
    case .includes: return operand.isIncluded(in: datum, type: type.key.type)
    case .excludes: return operand.isExcluded(from: datum, type: type.key.type)
    case .less, .lessOrEqual, .greater, .greaterOrEqual:
      guard let left = datum.number, let right = operand.number else { return false }
      return holds(order: left.order(right))
    }
  }

  private func holds(order: Int) -> Bool {
    switch self {
    case .less: order < 0
    case .lessOrEqual: order <= 0
    case .greater: order > 0
    case .greaterOrEqual: order >= 0
    case .equal, .notEqual, .includes, .excludes: false
    }
  }
}

/// A list of clauses.
package struct Condition: Sendable {
  package let clauses: [Clause]

  package init(clauses: [Clause] = []) { self.clauses = clauses }

  package init(json: JSONValue, table: TableSchema, symbols: SymbolTable?) throws(OVSDBError) {
    guard json.kind == .array else { throw .syntaxError("array expected", at: json) }
    var clauses: [Clause] = []
    clauses.reserveCapacity(json.count)
    for clause in json.elements { clauses.append(try Clause(json: clause, table: table, symbols: symbols)) }
    self.clauses = clauses
  }

  /// As in a transaction: every clause holds.
  @inline(__always)
  package func allHold(_ datum: (ColumnSchema) -> Datum) -> Bool {
    clauses.allSatisfy { $0.holds(datum) }
  }

  /// As in a monitor: some clause holds, or there is none.
  @inline(__always)
  package func anyHolds(_ datum: (ColumnSchema) -> Datum) -> Bool {
    clauses.isEmpty || clauses.contains { $0.holds(datum) }
  }
}
