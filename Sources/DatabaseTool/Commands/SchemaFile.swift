// SPDX-License-Identifier: Apache-2.0
//
// Schemas and transactions that people wrote, and what is said when they cannot be read.

import JSON
import OVSDB

enum SchemaFile {
  /// Reads a schema file.
  ///
  /// - Throws: `failed to read schema: "F" could not be read as JSON (...)`, or the schema's own error with
  ///   `failed to parse "F" as ovsdb schema: ` before its details.
  static func read(_ path: String) throws(ToolError) -> DatabaseSchema {
    let document: JSONDocument
    do throws(ToolError) {
      document = try parse(path)
    } catch {
      throw ToolError("failed to read schema: \"\(path)\" could not be read as JSON (\(error.text))")
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

  private static func parse(_ path: String) throws(ToolError) -> JSONDocument {
    let bytes: [UInt8]
    do throws(JSONFileError) {
      bytes = try JSONText.contents(of: path)
    } catch {
      throw ToolError(error.description)
    }
    do throws(JSONSyntaxError) {
      return try JSONText.parse(bytes)
    } catch {
      throw ToolError(TypedJSON.wording(of: error, in: bytes))
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
      return error.wordsFromLineOne
    } catch let known {
      return known.wordsFromLineOne
    }
  }
}
