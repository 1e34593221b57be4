// SPDX-License-Identifier: Apache-2.0
//
// Schemas and transactions that people wrote, and what is said when they cannot be read.

import Glibc
import JSON
import Journal
import OVSDB

enum SchemaFile {
  /// Reads a schema file.
  ///
  /// - Throws: `failed to read schema: "F" could not be read as JSON (...)`, or the schema's own error with
  ///   `failed to parse "F" as ovsdb schema: ` before its details.
  static func read(_ path: String) throws(ToolError) -> DatabaseSchema {
    let document: JSONDocument
    do throws(JSONFileError) {
      document = try JSONText.read(file: path)
    } catch {
      throw ToolError("failed to read schema: \"\(path)\" could not be read as JSON (\(describe(error, path)))")
    }
    defer { withExtendedLifetime(document) {} }
    do throws(OVSDBError) {
      return try DatabaseSchema(json: document.root)
    } catch {
      var error = error
      error.details = "failed to parse \"\(path)\" as ovsdb schema: \(error.details ?? "")"
      // A text that is no object is not repeated.
      if document.root.kind != .object { error.syntax = nil }
      throw ToolError(error)
    }
  }

  private static func describe(_ error: JSONFileError, _ path: String) -> String {
    guard case .syntax(let syntax) = error, let bytes = contents(of: path) else { return error.description }
    return TypedJSON.wording(of: syntax, in: bytes)
  }

  /// The bytes of a file that could be read a moment ago; nil when it cannot be read any more.
  private static func contents(of path: String) -> [UInt8]? {
    let system = FileSystem.system
    guard let descriptor = try? system.open(path, O_RDONLY, 0) else { return nil }
    defer { system.close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      guard let count = try? chunk.withUnsafeMutableBytes({ try system.read(descriptor, $0, bytes.count) }) else {
        return nil
      }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }
}

enum TypedJSON {
  /// Reads JSON that was typed on the command line.
  ///
  /// - Throws: `"TEXT": line L, column C, byte B: WHAT`.
  static func read(_ text: String) throws(ToolError) -> JSONDocument {
    do throws(JSONSyntaxError) {
      return try JSONText.parse(text)
    } catch {
      throw ToolError("\"\(text)\": \(wording(of: error, in: Array(text.utf8)))")
    }
  }

  /// A mistake in the words that users of Open vSwitch's tools know, which are those of the decoder of the wire.
  static func wording(of error: JSONSyntaxError, in bytes: [UInt8]) -> String {
    do throws(JSONSyntaxError) {
      _ = try JSONDocument.parse(bytes)
      return error.description
    } catch let known {
      return known.description
    }
  }
}
