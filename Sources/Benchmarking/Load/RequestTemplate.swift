// SPDX-License-Identifier: Apache-2.0
//
// Requests are written once as text and then only patched: encoding one costs a copy and a few digits.

/// The bytes of a request with fields of fixed width.
///
/// Shape: a run of `#` is a field for a decimal number, padded with zeros on the left; a run of 36 `@` is one for a
/// UUID. Fields are numbered from 0 in order of appearance. A number in JSON has no leading zeros, so write `1######`.
package final class RequestTemplate {
  package let bytes: UnsafeMutableRawBufferPointer
  private let fields: [Range<Int>]

  package init(_ text: String) {
    let source = Array(text.utf8)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 8)
    memory.copyBytes(from: source)
    bytes = memory
    fields = RequestTemplate.fields(of: source)
  }

  deinit { bytes.deallocate() }

  package var fieldCount: Int { fields.count }

  /// Writes a number into a field; digits that do not fit are cut off on the left.
  package func set(_ field: Int, to number: Int) {
    precondition(field < fields.count, "a request has no field \(field)")
    let range = fields[field]
    var rest = UInt64(number.magnitude)
    var position = range.upperBound
    while position > range.lowerBound {
      position -= 1
      bytes[position] = UInt8(ascii: "0") + UInt8(rest % 10)
      rest /= 10
    }
  }

  /// Writes a number into every field.
  package func setAll(to number: Int) {
    for field in fields.indices { set(field, to: number) }
  }

  /// Writes the 36 bytes of a UUID into a field.
  package func set(_ field: Int, to uuid: ArraySlice<UInt8>) {
    precondition(field < fields.count, "a request has no field \(field)")
    let range = fields[field]
    precondition(range.count == uuid.count, "a UUID has 36 bytes")
    UnsafeMutableRawBufferPointer(rebasing: bytes[range]).copyBytes(from: uuid)
  }

  private static func fields(of source: [UInt8]) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var index = 0
    while index < source.count {
      let byte = source[index]
      var end = index + 1
      if byte == UInt8(ascii: "#") || byte == UInt8(ascii: "@") {
        while end < source.count, source[end] == byte { end += 1 }
        if byte == UInt8(ascii: "#") || end - index == 36 { result.append(index..<end) }
      }
      index = end
    }
    return result
  }
}

/// Row UUIDs in their text form, one behind the other, ready to be copied into requests.
package struct UUIDList {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  package var count: Int { bytes.count / 36 }

  package subscript(index: Int) -> ArraySlice<UInt8> { bytes[index * 36..<index * 36 + 36] }

  package func text(_ index: Int) -> String { String(decoding: self[index], as: UTF8.self) }

  /// Adds every `["uuid","..."]` of a reply, in order.
  package mutating func append(from reply: [UInt8]) {
    let mark = Array("\"uuid\",\"".utf8)
    var index = 0
    while index + mark.count + 36 <= reply.count {
      if reply[index] == mark[0], reply[index..<index + mark.count].elementsEqual(mark) {
        bytes += reply[index + mark.count..<index + mark.count + 36]
        index += mark.count + 36
      } else {
        index += 1
      }
    }
  }
}
