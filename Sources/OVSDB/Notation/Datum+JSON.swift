// SPDX-License-Identifier: Apache-2.0
//
// Values from and to JSON. Reading goes straight from the parsed tape to typed storage; writing is always the normal form.

import JSON

extension Datum {
  /// Reads `<value>` for a column type, checking its constraints.
  ///
  /// Shape: an atom, `["set",[atom,...]]` or `["map",[[key,value],...]]`. A bare atom stands for a set of one.
  ///
  /// - Parameter symbols: the names of the transaction's rows; nil where `["named-uuid",...]` means nothing.
  /// - Throws: `.syntaxError`, `.constraintViolation` or `.ovsdbError` (duplicates) as in Documentation/protocol/values.md#value-errors.
  ///
  /// Source: RFC 7047 §5.1.
  package init(json: JSONValue, type: ColumnType, symbols: SymbolTable?) throws(OVSDBError) {
    if let value = type.value {
      self = try Self.map(json, type, value, symbols)
    } else if json.kind == .array, let elements = Self.tagged(json, "set") {
      self = try Self.set(elements, json, type, symbols)
    } else {
      self = try Self.scalar(json, type.key, symbols)
    }
  }

  /// Reads `<value>` for a column, as `init(json:type:symbols:)` does, and most values without a look at the whole type.
  package init(json: JSONValue, column: ColumnSchema, symbols: SymbolTable?) throws(OVSDBError) {
    switch column.shortcut {
    case .string:
      if let bytes = json.utf8, let string = String(utf8: bytes) {
        self = .string(Text(string))
        return
      }
    case .integer:
      if let value = json.integer {
        self = .integer(value)
        return
      }
    case .boolean:
      if let value = json.boolean {
        self = .boolean(value)
        return
      }
    case .uuid:
      if let uuid = Self.plainUUID(json) {
        self = .uuid(uuid)
        return
      }
    case .stringMap:
      if json.count == 2, let pairs = Self.tagged(json, "map"), pairs.kind == .array {
        self = try Self.stringMap(pairs)
        return
      }
    case .none: break
    }
    try self.init(json: json, type: column.type, symbols: symbols)
  }

  /// The UUID in `["uuid",STRING]`, nil for anything else.
  private static func plainUUID(_ json: JSONValue) -> UUID? {
    var elements = json.elements.makeIterator()
    guard json.count == 2, let tag = elements.next(), tag.isString("uuid"), let name = elements.next()?.utf8 else { return nil }
    return UUID(utf8: name)
  }

  /// The array in `[tag, array]`, nil when `json` begins otherwise.
  private static func tagged(_ json: JSONValue, _ tag: StaticString) -> JSONValue? {
    var elements = json.elements.makeIterator()
    guard let first = elements.next(), first.isString(tag) else { return nil }
    return elements.next() ?? first
  }

  private static func scalar(_ json: JSONValue, _ base: BaseType, _ symbols: SymbolTable?) throws(OVSDBError) -> Datum {
    let datum = Datum(try Atom(json: json, type: base.type, symbols: symbols))
    if base.constraint != .none, let atom = datum.onlyAtom { try base.check(atom) }
    return datum
  }

  private static func set(
    _ elements: JSONValue, _ json: JSONValue, _ type: ColumnType, _ symbols: SymbolTable?
  ) throws(OVSDBError) -> Datum {
    guard json.count == 2, elements.kind == .array else {
      throw .syntaxError("expected [\"set\", <array>]", at: json)
    }
    try checkCount(elements.count, type, "set", json)
    var atoms = AtomArray(of: type.key.type, capacity: elements.count)
    if type.key.type == .uuid {
      // By far the largest sets are of references.
      var uuids: [UUID] = []
      uuids.reserveCapacity(elements.count)
      for element in elements.elements { uuids.append(try Atom.uuid(json: element, symbols: symbols)) }
      atoms = .uuids(uuids)
    } else {
      for element in elements.elements {
        let atom = try Atom(json: element, type: type.key.type, symbols: symbols)
        if type.key.constraint != .none { try type.key.check(atom) }
        atoms.append(atom)
      }
    }
    if case .enumeration = type.key.constraint, case .uuids(let uuids) = atoms {
      for uuid in uuids { try type.key.check(.uuid(uuid)) }
    }
    guard let sorted = atoms.sortedDistinct() else { throw OVSDBError(.ovsdbError, "set contains duplicate") }
    return Datum(sorted: sorted)
  }

  private static func map(
    _ json: JSONValue, _ type: ColumnType, _ value: BaseType, _ symbols: SymbolTable?
  ) throws(OVSDBError) -> Datum {
    guard json.kind == .array, json.count == 2, let pairs = tagged(json, "map"), pairs.kind == .array else {
      throw .syntaxError("expected [\"map\", <array>]", at: json)
    }
    try checkCount(pairs.count, type, "map", json)
    if type.key.type == .string, value.type == .string { return try stringMap(pairs, type.key, value) }
    var keys = AtomArray(of: type.key.type, capacity: pairs.count)
    var values = AtomArray(of: value.type, capacity: pairs.count)
    for pair in pairs.elements {
      let (keyJSON, valueJSON) = try parts(of: pair)
      let key = try Atom(json: keyJSON, type: type.key.type, symbols: symbols)
      if type.key.constraint != .none { try type.key.check(key) }
      let atom = try Atom(json: valueJSON, type: value.type, symbols: symbols)
      if value.constraint != .none { try value.check(atom) }
      keys.append(key)
      values.append(atom)
    }
    return try sorted(keys, values)
  }

  /// Maps of strings to strings are by far the most, and often come sorted, as they were sent.
  private static func stringMap(
    _ pairs: JSONValue, _ key: BaseType, _ value: BaseType
  ) throws(OVSDBError) -> Datum {
    var keys: [Text] = []
    var values: [Text] = []
    keys.reserveCapacity(pairs.count)
    values.reserveCapacity(pairs.count)
    for pair in pairs.elements {
      let (keyJSON, valueJSON) = try parts(of: pair)
      let keyText = try Text(json: keyJSON)
      if key.constraint != .none { try key.check(.string(keyText)) }
      let valueText = try Text(json: valueJSON)
      if value.constraint != .none { try value.check(.string(valueText)) }
      keys.append(keyText)
      values.append(valueText)
    }
    return try stringMap(keys, values)
  }

  private static func stringMap(_ pairs: JSONValue) throws(OVSDBError) -> Datum {
    var keys: [Text] = []
    var values: [Text] = []
    keys.reserveCapacity(pairs.count)
    values.reserveCapacity(pairs.count)
    for pair in pairs.elements {
      let (key, value) = try parts(of: pair)
      keys.append(try Text(json: key))
      values.append(try Text(json: value))
    }
    return try stringMap(keys, values)
  }

  /// Puts pairs in order: a few where they are, by insertion.
  private static func stringMap(_ keys: consuming [Text], _ values: consuming [Text]) throws(OVSDBError) -> Datum {
    guard keys.count <= insertionMax || keys.isStrictlyAscending else { return try sorted(.strings(keys), .strings(values)) }
    var next = 1
    while next < keys.count {
      var position = next
      while position > 0, keys[position] < keys[position - 1] {
        keys.swapAt(position, position - 1)
        values.swapAt(position, position - 1)
        position -= 1
      }
      if position > 0, keys[position] == keys[position - 1] { throw OVSDBError(.ovsdbError, "map contains duplicate key") }
      next += 1
    }
    return Datum(sorted: AtomMap(keys: .strings(keys), values: .strings(values)))
  }

  /// Pairs of a map up to which insertion is quicker than sorting.
  private static var insertionMax: Int { 12 }

  private static func parts(of pair: JSONValue) throws(OVSDBError) -> (JSONValue, JSONValue) {
    var parts = pair.elements.makeIterator()
    guard pair.kind == .array, pair.count == 2, let key = parts.next(), let value = parts.next() else {
      throw .syntaxError("expected 2-element array", at: pair)
    }
    return (key, value)
  }

  private static func sorted(_ keys: AtomArray, _ values: AtomArray) throws(OVSDBError) -> Datum {
    guard let positions = keys.sortedDistinctPositions() else {
      throw OVSDBError(.ovsdbError, "map contains duplicate key")
    }
    return Datum(sorted: AtomMap(keys: keys.picking(positions), values: values.picking(positions)))
  }

  private static func checkCount(_ count: Int, _ type: ColumnType, _ kind: String, _ json: JSONValue) throws(OVSDBError) {
    guard count < type.min || count > type.max else { return }
    if type.min == 1, type.max == 1 {
      throw .syntaxError("\(kind) must have exactly one member but \(count) are present", at: json)
    }
    throw .syntaxError("\(kind) must have \(type.min) to \(type.max) members but \(count) are present", at: json)
  }

  /// Appends the normal form: sets and maps sorted, a set of one as its element.
  package func write(to writer: inout ByteWriter, type: ColumnType) { write(to: &writer, isMap: type.isMap) }

  /// Appends the normal form.
  ///
  /// - Parameter isMap: Whether the column's type is that of a map.
  package func write(to writer: inout ByteWriter, isMap: Bool) {
    switch self {
    case .empty: writer.append(isMap ? "[\"map\",[]]" : "[\"set\",[]]")
    case .integer(let value): writer.appendInteger(value)
    case .real(let value): writer.appendReal(value)
    case .boolean(let value): writer.append(value ? "true" : "false")
    case .string(let text): text.withBytes { writer.appendQuoted(utf8: $0) }
    case .uuid(let uuid): uuid.writeJSON(to: &writer)
    case .set(let atoms):
      writer.append("[\"set\",[")
      atoms.writeElements(to: &writer)
      writer.append("]]")
    case .map(let pairs):
      writer.append("[\"map\",[")
      if case .strings(let keys) = pairs.keys, case .strings(let values) = pairs.values {
        Self.writePairs(keys, values, to: &writer)
        return
      }
      for position in 0..<pairs.count {
        writer.append(position == 0 ? "[" : ",[")
        pairs.keys[position].write(to: &writer)
        writer.append(",")
        pairs.values[position].write(to: &writer)
        writer.append("]")
      }
      writer.append("]]")
    }
  }

  /// Appends the pairs of a map of strings, the most frequent kind, and its end.
  private static func writePairs(_ keys: [Text], _ values: [Text], to writer: inout ByteWriter) {
    keys.withUnsafeBufferPointer { keys in
      values.withUnsafeBufferPointer { values in
        for position in keys.indices {
          writer.append(position == 0 ? "[" : ",[")
          keys[position].withBytes { writer.appendQuoted(utf8: $0) }
          writer.append(",")
          values[position].withBytes { writer.appendQuoted(utf8: $0) }
          writer.append("]")
        }
      }
    }
    writer.append("]]")
  }
}

extension Atom {
  /// Reads an atom of a type, without constraints.
  package init(json: JSONValue, type: AtomicType, symbols: SymbolTable?) throws(OVSDBError) {
    switch type {
    case .integer:
      guard let value = json.integer else { throw .syntaxError("expected integer", at: json) }
      self = .integer(value)
    case .real:
      guard let value = json.number else { throw .syntaxError("expected real", at: json) }
      self = .real(value == 0 ? 0 : value)
    case .boolean:
      guard let value = json.boolean else { throw .syntaxError("expected boolean", at: json) }
      self = .boolean(value)
    case .string: self = .string(try Text(json: json))
    case .uuid:
      self = .uuid(try Self.uuid(json: json, symbols: symbols))
    }
  }

  /// Reads `["uuid",STRING]` or, with symbols, `["named-uuid",ID]`.
  package static func uuid(json: JSONValue, symbols: SymbolTable?) throws(OVSDBError) -> UUID {
    var elements = json.elements.makeIterator()
    if json.count == 2, let tag = elements.next(), let name = elements.next(), let bytes = name.utf8 {
      if tag.isString("uuid") {
        if let uuid = UUID(utf8: bytes) { return uuid }
        throw .syntaxError("\"\(name.words)\" is not a valid UUID", at: json)
      }
      if tag.isString("named-uuid"), let symbols {
        guard isID(bytes), let string = name.string else {
          throw .syntaxError("named-uuid string is not a valid <id>", at: json)
        }
        return symbols.uuid(of: try SymbolTable.name(string))
      }
    }
    throw .syntaxError("expected [\"uuid\", <string>]", at: json)
  }

  package func write(to writer: inout ByteWriter) {
    switch self {
    case .integer(let value): writer.appendInteger(value)
    case .real(let value): writer.appendReal(value)
    case .boolean(let value): writer.append(value ? "true" : "false")
    case .string(let text): text.withBytes { writer.appendQuoted(utf8: $0) }
    case .uuid(let uuid): uuid.writeJSON(to: &writer)
    }
  }
}

extension Text {
  /// Reads a string, which must be valid UTF-8: the parser lets other bytes through, columns do not.
  init(json: JSONValue) throws(OVSDBError) {
    guard let bytes = json.utf8 else { throw .syntaxError("expected string", at: json) }
    guard let string = String(utf8: bytes) else {
      throw .constraintViolation("not a valid UTF-8 string: \(invalidUTF8(bytes))")
    }
    self.init(string)
  }
}

extension UUID {
  /// Appends `["uuid","..."]`.
  package func writeJSON(to writer: inout ByteWriter) {
    writer.append("[\"uuid\",\"")
    write(to: &writer)
    writer.append("\"]")
  }
}

extension AtomArray {
  /// Appends the atoms with commas between.
  func writeElements(to writer: inout ByteWriter) {
    if case .uuids(let uuids) = self {
      for (position, uuid) in uuids.enumerated() {
        if position > 0 { writer.append(",") }
        uuid.writeJSON(to: &writer)
      }
      return
    }
    for position in 0..<count {
      if position > 0 { writer.append(",") }
      self[position].write(to: &writer)
    }
  }
}

/// Names the first sequence of bytes that is not UTF-8, up to and with the byte that breaks it.
private func invalidUTF8(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
  var decoder = UTF8.ForwardParser()
  var iterator = bytes.makeIterator()
  var offset = 0
  while true {
    switch decoder.parseScalar(from: &iterator) {
    case .valid(let scalar): offset += scalar.count
    case .error(let length):
      let end = Swift.min(offset + length + 1, bytes.count)
      let sequence = bytes[offset..<Swift.max(end, Swift.min(offset + 1, bytes.count))]
      return "invalid UTF-8 sequence " + sequence.map { "0x" + hexByte($0) }.joined(separator: " ")
    case .emptyInput: return "invalid UTF-8 sequence"
    }
  }
}

private func hexByte(_ byte: UInt8) -> String {
  let text = String(byte, radix: 16)
  return text.count == 1 ? "0" + text : text
}
