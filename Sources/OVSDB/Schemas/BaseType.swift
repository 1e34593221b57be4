// SPDX-License-Identifier: Apache-2.0
//
// The type of one atom with its constraints, half of a `ColumnType`. Parsing and printing are in BaseType+JSON.swift.

import JSON

/// An atomic type and what it allows.
///
/// Source: RFC 7047 §3.2 (`<base-type>`).
package struct BaseType: Equatable, Sendable {
  package var type: AtomicType
  package var constraint: Constraint

  package enum Constraint: Equatable, Sendable {
    case none
    /// The allowed values, sorted; at least one.
    case enumeration(AtomArray)
    case integerRange(Int64, Int64)
    case realRange(Double, Double)
    /// In code points.
    case length(Int, Int)
    case reference(Reference)
  }

  /// What a uuid column points at.
  package struct Reference: Equatable, Sendable {
    package var tableName: String
    package var isStrong: Bool
    /// The position of the table in its schema; set when the whole schema is known.
    package var tableIndex: Int
  }

  package init(_ type: AtomicType, _ constraint: Constraint = .none) {
    self.type = type
    self.constraint = constraint
  }

  /// The longest string a schema can speak of; a longer limit is none.
  package static let lengthUnlimited = Int(UInt32.max)

  package var reference: Reference? {
    if case .reference(let reference) = constraint { reference } else { nil }
  }

  /// Whether some values of the atomic type are refused.
  var isLimiting: Bool {
    switch constraint {
    case .none, .reference: false
    case .enumeration, .integerRange, .realRange, .length: true
    }
  }

  /// The same type without its limits, as operands of arithmetic are read.
  package var unconstrained: BaseType {
    reference == nil ? BaseType(type) : self
  }

  /// Checks one atom of the base's own type.
  ///
  /// - Throws: `.constraintViolation` with the text of the limit that is broken.
  package func check(_ atom: Atom) throws(OVSDBError) {
    switch (constraint, atom) {
    case (.none, _), (.reference, _): return
    case (.enumeration(let allowed), let atom):
      guard allowed.position(of: atom) == nil else { return }
      throw .constraintViolation("\(atom.text()) is not one of the allowed values (\(enumerationText(allowed)))")
    case (.integerRange(let low, let high), .integer(let value)):
      guard value < low || value > high else { return }
      throw Self.rangeError("\(value)", low == .min ? nil : "\(low)", high == .max ? nil : "\(high)", isBelow: value < low)
    case (.realRange(let low, let high), .real(let value)):
      guard value < low || value > high else { return }
      let lowText = low == -.greatestFiniteMagnitude ? nil : realText(low)
      let highText = high == .greatestFiniteMagnitude ? nil : realText(high)
      throw Self.rangeError(realText(value), lowText, highText, isBelow: value < low)
    case (.length(let low, let high), .string(let text)):
      let count = text.string.unicodeScalars.count
      if count < low {
        throw .constraintViolation("\"\(text)\" length \(count) is less than minimum allowed length \(low)")
      }
      if count > high {
        throw .constraintViolation("\"\(text)\" length \(count) is greater than maximum allowed length \(high)")
      }
    case (.integerRange, _), (.realRange, _), (.length, _):
      preconditionFailure("a constraint of another type than its atom")
    }
  }

  private static func rangeError(_ value: String, _ low: String?, _ high: String?, isBelow: Bool) -> OVSDBError {
    if let low, let high {
      return .constraintViolation("\(value) is not in the valid range \(low) to \(high) (inclusive)")
    }
    if isBelow {
      return .constraintViolation("\(value) is less than minimum allowed value \(low ?? "")")
    }
    return .constraintViolation("\(value) is greater than maximum allowed value \(high ?? "")")
  }

  private func enumerationText(_ allowed: AtomArray) -> String {
    Datum(sorted: allowed).text(of: ColumnType(key: BaseType(type), min: 1, max: ColumnType.unlimited))
  }
}

/// A real as it is printed everywhere: C's `%.15g`.
package func realText(_ value: Double) -> String {
  var writer = ByteWriter(capacity: 32)
  writer.appendReal(value)
  return writer.string
}
