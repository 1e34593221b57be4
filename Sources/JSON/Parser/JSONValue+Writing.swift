// SPDX-License-Identifier: Apache-2.0
//
// Printing a value: compact for the wire, sorted for error messages and files, indented for people.

extension JSONValue {
  /// Appends this value as compact JSON.
  ///
  /// - Parameter sorted: Members in the order of their names' bytes, else in the order of the text.
  package func write(to writer: inout ByteWriter, sorted: Bool = false) {
    switch kind {
    case .null: writer.append("null")
    case .false: writer.append("false")
    case .true: writer.append("true")
    case .integer: writer.appendInteger(Int64(bitPattern: entry.payload))
    case .real: writer.appendReal(Double(bitPattern: entry.payload))
    case .string: writer.appendQuoted(utf8: tape.pointee.bytes(of: entry))
    case .array:
      writer.append(UInt8(ascii: "["))
      var isFirst = true
      for element in elements {
        if !isFirst { writer.append(UInt8(ascii: ",")) }
        isFirst = false
        element.write(to: &writer, sorted: sorted)
      }
      writer.append(UInt8(ascii: "]"))
    case .object:
      writer.append(UInt8(ascii: "{"))
      if sorted {
        writeMembers(sortedMembers(), to: &writer, sorted: true)
      } else {
        writeMembers(members, to: &writer, sorted: false)
      }
      writer.append(UInt8(ascii: "}"))
    }
  }

  @inline(__always)
  private func writeMembers(
    _ members: some Sequence<(name: JSONValue, value: JSONValue)>, to writer: inout ByteWriter, sorted: Bool
  ) {
    var isFirst = true
    for (name, value) in members {
      if !isFirst { writer.append(UInt8(ascii: ",")) }
      isFirst = false
      writer.appendQuoted(utf8: name.tape.pointee.bytes(of: name.entry))
      writer.append(UInt8(ascii: ":"))
      value.write(to: &writer, sorted: sorted)
    }
  }

  /// This value as compact JSON text, as error messages quote it; bytes that are not UTF-8 are replaced by U+FFFD.
  package func text(sorted: Bool = true) -> String {
    var writer = ByteWriter()
    write(to: &writer, sorted: sorted)
    return writer.string
  }

  /// This value as indented JSON text with sorted names and no newline at the end.
  ///
  /// Shape: two spaces for each level, closing brackets on the line of the last element. An empty array is `[]`, an
  /// empty object has its brackets on two lines.
  ///
  /// Source: observed, ovsdb-client 3.1 `--pretty`.
  package func prettyText() -> String {
    var writer = ByteWriter()
    writePretty(to: &writer, level: 1)
    return writer.string
  }

  private func writePretty(to writer: inout ByteWriter, level: Int) {
    var isFirst = true
    switch kind {
    case .array:
      writer.append(UInt8(ascii: "["))
      for element in elements {
        startLine(&writer, level: level, isFirst: &isFirst)
        element.writePretty(to: &writer, level: level + 1)
      }
      writer.append(UInt8(ascii: "]"))
    case .object:
      writer.append(UInt8(ascii: "{"))
      if count == 0 { startLine(&writer, level: level, isFirst: &isFirst) }
      for (name, value) in sortedMembers() {
        startLine(&writer, level: level, isFirst: &isFirst)
        name.write(to: &writer)
        writer.append(": ")
        value.writePretty(to: &writer, level: level + 1)
      }
      writer.append(UInt8(ascii: "}"))
    case .null, .false, .true, .integer, .real, .string:
      write(to: &writer)
    }
  }

  private func startLine(_ writer: inout ByteWriter, level: Int, isFirst: inout Bool) {
    if !isFirst { writer.append(UInt8(ascii: ",")) }
    isFirst = false
    writer.append(UInt8(ascii: "\n"))
    for _ in 0..<level { writer.append("  ") }
  }

  /// The members in the order of their names' bytes, as unsigned numbers; a name sorts before the names it begins.
  func sortedMembers() -> [(name: JSONValue, value: JSONValue)] {
    Array(members).sorted { $0.name.precedes($1.name) }
  }

  private func precedes(_ other: JSONValue) -> Bool {
    tape.pointee.bytes(of: entry).lexicographicallyPrecedes(other.tape.pointee.bytes(of: other.entry))
  }
}
