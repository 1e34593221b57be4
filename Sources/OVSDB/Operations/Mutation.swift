// SPDX-License-Identifier: Apache-2.0
//
// Mutations: changes of a column relative to its value. Arithmetic is in Mutation+Arithmetic.swift.

import JSON

/// One `<mutation>` of a mutate operation, checked against its column.
///
/// Shape: `[column, mutator, value]`.
///
/// Source: RFC 7047 §5.1 (`<mutation>`).
package struct Mutation: Sendable {
  package let column: ColumnSchema
  package let mutator: Mutator
  package let operand: Operand

  package enum Operand: Sendable {
    /// A value of the column's own kind.
    case value(Datum)
    /// Keys of pairs to be deleted from a map.
    case keys(Datum)
  }

  package init(json: JSONValue, table: TableSchema, symbols: SymbolTable?) throws(OVSDBError) {
    var parts = json.elements.makeIterator()
    guard json.kind == .array, json.count == 3, let name = parts.next(), let mutatorName = parts.next(),
      let value = parts.next(), name.kind == .string, mutatorName.kind == .string
    else { throw .syntaxError("Parse error in mutation.", at: json) }
    guard let column = table.column(name) else {
      throw OVSDBError(.unknownColumn, "No column \(name.words) in table \(table.name).", at: json)
    }
    guard column.isMutable else {
      throw OVSDBError(
        .constraintViolation, "Cannot mutate immutable column \(column.name) in table \(table.name).", at: json)
    }
    guard let mutator = Mutator(rawValue: mutatorName.string ?? "") else {
      throw OVSDBError(.unknownMutator, "No mutator named \(mutatorName.words).")
    }
    self.column = column
    self.mutator = mutator
    operand = try Self.operand(value, mutator, column, json, symbols)
  }

  private static func operand(
    _ value: JSONValue, _ mutator: Mutator, _ column: ColumnSchema, _ json: JSONValue, _ symbols: SymbolTable?
  ) throws(OVSDBError) -> Operand {
    let type = column.type
    guard mutator.applies(to: type) else {
      throw .syntaxError(
        "Type mismatch: \"\(mutator.rawValue)\" operator may not be applied to column \(column.name) of type \(type.english).",
        at: json)
    }
    switch mutator {
    case .add, .subtract, .multiply, .divide, .remainder:
      return .value(try Datum(json: value, type: ColumnType(key: type.key.unconstrained), symbols: symbols))
    case .insert:
      return .value(try Datum(json: value, type: type.ofFewer, symbols: symbols))
    case .delete:
      guard type.isMap else { return .value(try Datum(json: value, type: type.ofAnyCount, symbols: symbols)) }
      // What is no good map must be a set of keys, and is told off as one.
      if value[0]?.isString("map") == true,
        let pairs = try? Datum(json: value, type: type.ofAnyCount, symbols: symbols)
      {
        return .value(pairs)
      }
      let keyType = ColumnType(key: type.key, min: 0, max: ColumnType.unlimited)
      return .keys(try Datum(json: value, type: keyType, symbols: symbols))
    }
  }

  /// The value that the mutation makes of `datum`.
  ///
  /// - Throws: `.domainError` on division by zero, `.rangeError` on overflow, `.constraintViolation` when the result breaks a
  ///   constraint of the column's type.
  /// - Complexity: O(n) for a set of n elements; adding a few elements copies blocks and compares only O(log n) times.
  package func apply(to datum: Datum) throws(OVSDBError) -> Datum {
    let type = column.type
    let result: Datum
    switch (mutator, operand) {
    case (.insert, .value(let added)): result = datum.union(added, type: type.key.type)
    case (.delete, .value(let removed)): result = datum.subtracting(removed, type: type.key.type)
    case (.delete, .keys(let keys)): result = datum.removingKeys(keys, type: type.key.type)
    case (_, .value(let operand)): return try arithmetic(datum, operand)
    case (_, .keys): preconditionFailure("only delete takes keys")
    }
    guard result.count >= type.min, result.count <= type.max else {
      throw .constraintViolation("Attempted to store \(result.count) elements in \(type.english).")
    }
    return result
  }
}

/// The operators of a mutation.
package enum Mutator: String, Sendable, CaseIterable {
  case add = "+="
  case subtract = "-="
  case multiply = "*="
  case divide = "/="
  case remainder = "%="
  case insert
  case delete

  func applies(to type: ColumnType) -> Bool {
    switch self {
    case .add, .subtract, .multiply, .divide: type.isNumeric && !type.isMap
    case .remainder: type.key.type == .integer && !type.isMap
    case .insert, .delete: !type.isScalar
    }
  }
}
