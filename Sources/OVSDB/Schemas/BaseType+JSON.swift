// SPDX-License-Identifier: Apache-2.0
//
// A base type from and to the JSON of a schema.

import JSON

extension BaseType {
  /// Reads `<base-type>`: an atomic type's name, or an object with `type` and constraints.
  ///
  /// - Throws: `.syntaxError` or `.constraintViolation` with the peer's words (Documentation/protocol/schemas.md#errors).
  package init(json: JSONValue) throws(OVSDBError) {
    if json.kind == .string {
      self.init(try AtomicType(json: json))
      return
    }
    var parser = ObjectParser(json, "ovsdb type")
    let typeValue = parser.required("type", .string)
    if let error = parser.error { throw error }
    guard let typeValue else { throw .syntaxError("Parsing ovsdb type failed: Object expected.", at: json) }
    self.init(try AtomicType(json: typeValue))

    if let enumeration = parser.optional("enum", .any) {
      let valueType = ColumnType(key: BaseType(type), min: 1, max: ColumnType.unlimited)
      let datum = try Datum(json: enumeration, type: valueType, symbols: nil)
      constraint = .enumeration(datum.keys(of: type))
    } else {
      switch type {
      case .integer: try readIntegerRange(&parser, json)
      case .real: try readRealRange(&parser, json)
      case .string: try readLength(&parser, json)
      case .uuid: try readReference(&parser, json)
      case .boolean: break
      }
    }
    if let error = parser.finish() { throw error }
  }

  private mutating func readIntegerRange(_ parser: inout ObjectParser, _ json: JSONValue) throws(OVSDBError) {
    let low = parser.optional("minInteger", .integer)?.integer
    let high = parser.optional("maxInteger", .integer)?.integer
    guard low != nil || high != nil else { return }
    let range = (low ?? .min, high ?? .max)
    guard range.0 <= range.1 else { throw .syntaxError("minInteger exceeds maxInteger", at: json) }
    if range != (.min, .max) { constraint = .integerRange(range.0, range.1) }
  }

  private mutating func readRealRange(_ parser: inout ObjectParser, _ json: JSONValue) throws(OVSDBError) {
    let low = parser.optional("minReal", .number)?.number
    let high = parser.optional("maxReal", .number)?.number
    guard low != nil || high != nil else { return }
    let widest = Double.greatestFiniteMagnitude
    let range = (low ?? -widest, high ?? widest)
    guard range.0 <= range.1 else { throw .syntaxError("minReal exceeds maxReal", at: json) }
    if range != (-widest, widest) { constraint = .realRange(range.0, range.1) }
  }

  private mutating func readLength(_ parser: inout ObjectParser, _ json: JSONValue) throws(OVSDBError) {
    let low = try lengthMember("minLength", &parser)
    let high = try lengthMember("maxLength", &parser)
    let range = (low ?? 0, high ?? Self.lengthUnlimited)
    guard range.0 <= range.1 else { throw .syntaxError("minLength exceeds maxLength", at: json) }
    if range != (0, Self.lengthUnlimited) { constraint = .length(range.0, range.1) }
  }

  private func lengthMember(_ name: StaticString, _ parser: inout ObjectParser) throws(OVSDBError) -> Int? {
    guard let value = parser.optional(name, .integer), let length = value.integer else { return nil }
    guard length >= 0, length <= Self.lengthUnlimited else {
      throw .syntaxError("\(name) out of valid range 0 to \(Self.lengthUnlimited)", at: value)
    }
    return Int(length)
  }

  private mutating func readReference(_ parser: inout ObjectParser, _ json: JSONValue) throws(OVSDBError) {
    guard let tableName = parser.optional("refTable", .id)?.string else { return }
    var isStrong = true
    if let refType = parser.optional("refType", .id) {
      if refType.isString("weak") {
        isStrong = false
      } else if !refType.isString("strong") {
        throw .syntaxError("refType must be \"strong\" or \"weak\" (not \"\(refType.words)\")", at: json)
      }
    }
    // The table's position is filled in when the whole schema is read; until then it points nowhere.
    constraint = .reference(Reference(tableName: tableName, isStrong: isStrong, tableIndex: -1))
  }

  /// Appends the normal form: the bare name when there is no constraint.
  package func write(to writer: inout ByteWriter) {
    if constraint == .none {
      writer.appendQuoted(type.name)
      return
    }
    writer.append("{")
    switch constraint {
    case .none: break
    case .enumeration(let allowed):
      writer.append("\"enum\":")
      Datum(sorted: allowed).write(to: &writer, type: ColumnType(key: BaseType(type), min: 1, max: ColumnType.unlimited))
      writer.append(",")
    case .integerRange(let low, let high):
      if high != .max { writeMember("maxInteger", high, &writer) }
      if low != .min { writeMember("minInteger", low, &writer) }
    case .realRange(let low, let high):
      if high != .greatestFiniteMagnitude { writeMember("maxReal", high, &writer) }
      if low != -.greatestFiniteMagnitude { writeMember("minReal", low, &writer) }
    case .length(let low, let high):
      if high != Self.lengthUnlimited { writeMember("maxLength", Int64(high), &writer) }
      if low != 0 { writeMember("minLength", Int64(low), &writer) }
    case .reference(let reference):
      writer.append("\"refTable\":")
      writer.appendQuoted(reference.tableName)
      writer.append(",")
      if !reference.isStrong { writer.append("\"refType\":\"weak\",") }
    }
    writer.append("\"type\":")
    writer.appendQuoted(type.name)
    writer.append("}")
  }

  private func writeMember(_ name: String, _ value: Int64, _ writer: inout ByteWriter) {
    writer.appendQuoted(name)
    writer.append(":")
    writer.appendInteger(value)
    writer.append(",")
  }

  private func writeMember(_ name: String, _ value: Double, _ writer: inout ByteWriter) {
    writer.appendQuoted(name)
    writer.append(":")
    writer.appendReal(value)
    writer.append(",")
  }
}

extension AtomicType {
  package init(json: JSONValue) throws(OVSDBError) {
    guard json.kind == .string else { throw .syntaxError("atomic-type expected", at: json) }
    guard let type = AtomicType(name: json.words) else {
      throw .syntaxError("\"\(json.words)\" is not an atomic-type", at: json)
    }
    self = type
  }
}
