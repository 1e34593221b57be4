// SPDX-License-Identifier: Apache-2.0
//
// The type of a column: a base type for its elements or keys, one for a map's values, and how many there may be.

import JSON

/// The type of a column.
///
/// Source: RFC 7047 §3.2 (`<type>`).
package struct ColumnType: Equatable, Sendable {
  package var key: BaseType
  package var value: BaseType?
  /// 0 or 1.
  package var min: Int
  package var max: Int

  package static let unlimited = Int(UInt32.max)

  package init(key: BaseType, value: BaseType? = nil, min: Int = 1, max: Int = 1) {
    self.key = key
    self.value = value
    self.min = min
    self.max = max
  }

  package var isScalar: Bool { value == nil && min == 1 && max == 1 }
  package var isOptionalScalar: Bool { value == nil && min == 0 && max == 1 }
  package var isMap: Bool { value != nil }
  package var isNumeric: Bool { key.type == .integer || key.type == .real }

  /// The same elements in any number, as `excludes` and the mutator `delete` take them.
  package var ofAnyCount: ColumnType {
    var type = self
    type.min = 0
    type.max = Self.unlimited
    return type
  }

  /// The same elements, fewer allowed, as `includes` and the mutator `insert` take them.
  package var ofFewer: ColumnType {
    var type = self
    type.min = 0
    return type
  }

  /// The value of a column nobody gave a value.
  ///
  /// Source: RFC 7047 §5.2.1.
  package var defaultDatum: Datum {
    guard min > 0 else { return .empty }
    let atom = key.type.defaultAtom
    guard let value else { return Datum(atom) }
    var pairs = AtomMap(keys: AtomArray(of: key.type), values: AtomArray(of: value.type))
    pairs.keys.append(atom)
    pairs.values.append(value.type.defaultAtom)
    return Datum(sorted: pairs)
  }

  /// Checks every atom against its base's constraints.
  package func check(_ datum: Datum) throws(OVSDBError) {
    if key.constraint != .none {
      if let atom = datum.onlyAtom {
        try key.check(atom)
      } else {
        let atoms = datum.keys(of: key.type)
        for position in 0..<atoms.count { try key.check(atoms[position]) }
      }
    }
    if let value, value.constraint != .none, case .map(let pairs) = datum {
      for position in 0..<pairs.values.count { try value.check(pairs.values[position]) }
    }
  }

  /// The type in English, as messages name it: `set of up to 3 strings`.
  package var english: String {
    if isScalar { return key.type.name }
    let range: String
    if max == Self.unlimited {
      range = min == 0 ? "" : "\(min) or more "
    } else {
      range = min == 0 ? "up to \(max) " : "\(min) to \(max) "
    }
    if let value { return "map of \(range)(\(key.type.name), \(value.type.name)) pairs" }
    return "set of \(range)\(key.type.name)s"
  }

  /// Reads `<type>`.
  package init(json: JSONValue) throws(OVSDBError) {
    if json.kind == .string {
      self.init(key: BaseType(try AtomicType(json: json)))
      return
    }
    var parser = ObjectParser(json, "ovsdb type")
    let keyJSON = parser.required("key", .stringOrObject)
    if let error = parser.error { throw error }
    let valueJSON = parser.optional("value", .stringOrObject)
    let minJSON = parser.optional("min", .integer)
    let maxJSON = parser.optional("max", .integerOrString)
    if let error = parser.finish() { throw error }
    guard let keyJSON else { throw .syntaxError("Parsing ovsdb type failed: Object expected.", at: json) }
    let key = try BaseType(json: keyJSON)
    let value = try valueJSON.map(throwing: BaseType.init(json:))
    let min = try minJSON.map(throwing: Self.limit) ?? 1
    let max = try maxJSON.map(throwing: Self.limit) ?? 1
    self.init(key: key, value: value, min: min, max: max)
    guard min <= 1, max >= 1, min <= max else {
      throw .syntaxError("ovsdb type fails constraint checks", at: json)
    }
  }

  private static func limit(_ json: JSONValue) throws(OVSDBError) -> Int {
    if let limit = json.integer, limit >= 0, limit < unlimited { return Int(limit) }
    if json.isString("unlimited") { return unlimited }
    throw .syntaxError("bad min or max value", at: json)
  }

  /// Appends the normal form: the bare name for a plain scalar, members at their default left out.
  package func write(to writer: inout ByteWriter) {
    if isScalar, key.constraint == .none {
      key.write(to: &writer)
      return
    }
    writer.append("{\"key\":")
    key.write(to: &writer)
    if max == Self.unlimited {
      writer.append(",\"max\":\"unlimited\"")
    } else if max != 1 {
      writer.append(",\"max\":")
      writer.appendInteger(Int64(max))
    }
    if min != 1 {
      writer.append(",\"min\":")
      writer.appendInteger(Int64(min))
    }
    if let value {
      writer.append(",\"value\":")
      value.write(to: &writer)
    }
    writer.append("}")
  }
}

extension Optional {
  /// `map` for a function with typed throws.
  package func map<R, E: Error>(throwing transform: (Wrapped) throws(E) -> R) throws(E) -> R? {
    guard let self else { return nil }
    return try transform(self)
  }
}
