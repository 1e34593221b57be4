// SPDX-License-Identifier: Apache-2.0
//
// Documents that people write - schemas, configuration, transactions typed on a command line - are read with
// libjansson, whose messages name the offending word. The result is the same kind of document that the wire decoder
// makes, by the same rules: what is a whole number is an integer, what is too large for one is a real.
// This is the only Swift file that calls libjansson.

internal import CJansson
package import Files
import Glibc

/// Why a file could not be read as JSON.
package enum JSONFileError: Error, Hashable, Sendable, CustomStringConvertible {
  case input(path: String, InputFileError)
  case syntax(JSONSyntaxError)

  package var description: String {
    switch self {
    case .input(let path, .opening(let code)): "error opening \"\(path)\": \(InputFileError.opening(code))"
    case .input(_, let error): "error reading JSON stream: \(error)"
    case .syntax(let error): error.wordsFromLineOne
    }
  }
}

package enum JSONText {
  /// Parses a text that is an object or an array.
  ///
  /// - Throws: libjansson's message, with its column and byte (those behind the offending word) and its line less one.
  package static func parse(_ text: String) throws(JSONSyntaxError) -> JSONDocument {
    try parse(Array(text.utf8))
  }

  /// Parses bytes; see `parse(_:)` for text.
  package static func parse(_ bytes: [UInt8]) throws(JSONSyntaxError) -> JSONDocument {
    let prepared = try JSONTextPreparation(bytes)
    var failure = json_error_t()
    let tree = prepared.bytes.withUnsafeBufferPointer { buffer in
      buffer.withMemoryRebound(to: CChar.self) { json_loadb($0.baseAddress ?? emptyText, $0.count, 0, &failure) }
    }
    guard let tree else { throw prepared.original(describe(&failure)) }
    defer { json_decref(tree) }
    var builder = JSONTapeBuilder(entries: bytes.count / 8 + 16, bytes: bytes.count / 2 + 16)
    append(tree, to: &builder)
    return JSONDocument(builder)
  }

  /// Parses a file, which may be a pipe; waits for what is written there.
  package static func read(file path: String) throws(JSONFileError) -> JSONDocument {
    let bytes = try contents(of: path)
    do {
      return try parse(bytes)
    } catch {
      throw .syntax(error)
    }
  }

  /// No schema and no configuration comes near this.
  private static let fileBytesMax = 64 << 20

  /// The bytes of a file that is to be parsed. Of one whose first byte cannot begin any word, which may have no end, the first bytes:
  /// enough for the message.
  package static func contents(of path: String) throws(JSONFileError) -> [UInt8] {
    do throws(InputFileError) {
      return try InputFile.read(path, bytesMax: fileBytesMax, patience: .ample) { start in
        guard let first = start.first else { return true }
        return " \t\r\n".utf8.contains(first) || (0x21...0x7e).contains(first)
      }
    } catch {
      throw .input(path: path, error)
    }
  }

  private static func describe(_ failure: inout json_error_t) -> JSONSyntaxError {
    let text = withUnsafeBytes(of: &failure.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return JSONSyntaxError(
      line: max(Int(failure.line) - 1, 0), column: max(Int(failure.column), 0), byte: max(Int(failure.position), 0),
      text: text)
  }

  /// Appends a tree to a tape. Its depth is bounded: JSONTextPreparation has refused deeper texts.
  private static func append(_ tree: UnsafeMutablePointer<json_t>, to builder: inout JSONTapeBuilder) {
    switch tree.pointee.type {
    case JSON_OBJECT:
      let place = builder.open(.object)
      var count = 0
      var member = json_object_iter(tree)
      while let at = member {
        if let name = json_object_iter_key(at), let value = json_object_iter_value(at) {
          appendString(name, strlen(name), to: &builder)
          append(value, to: &builder)
          count += 1
        }
        member = json_object_iter_next(tree, at)
      }
      builder.close(place, .object, count: count)
    case JSON_ARRAY:
      let place = builder.open(.array)
      let count = json_array_size(tree)
      for index in 0..<count {
        if let element = json_array_get(tree, index) { append(element, to: &builder) }
      }
      builder.close(place, .array, count: count)
    case JSON_STRING:
      if let text = json_string_value(tree) { appendString(text, json_string_length(tree), to: &builder) }
    case JSON_INTEGER:
      builder.append(JSONTapeEntry(.integer, payload: UInt64(bitPattern: Int64(json_integer_value(tree)))))
    case JSON_REAL: appendReal(json_real_value(tree), to: &builder)
    case JSON_TRUE: builder.append(JSONTapeEntry(.true))
    case JSON_FALSE: builder.append(JSONTapeEntry(.false))
    default: builder.append(JSONTapeEntry(.null))
    }
  }

  private static func appendString(_ text: UnsafePointer<CChar>, _ size: Int, to builder: inout JSONTapeBuilder) {
    text.withMemoryRebound(to: UInt8.self, capacity: size) {
      builder.appendString(UnsafeBufferPointer(start: $0, count: size))
    }
  }

  private static func appendReal(_ real: Double, to builder: inout JSONTapeBuilder) {
    // The least integer itself has come as an integer; what comes as this real was below it, and rounded.
    if let integer = Int64(exactly: real), integer != .min {
      builder.append(JSONTapeEntry(.integer, payload: UInt64(bitPattern: integer)))
    } else {
      builder.append(JSONTapeEntry(.real, payload: real.bitPattern))
    }
  }
}

/// What libjansson is given of an empty text, whose bytes have no address. Never written to.
nonisolated(unsafe) private let emptyText: UnsafePointer<CChar> = UnsafePointer(
  UnsafeMutablePointer<CChar>.allocate(capacity: 1))
