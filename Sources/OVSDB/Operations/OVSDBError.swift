// SPDX-License-Identifier: Apache-2.0
//
// The error that travels to a client as data: in a transaction's result array, in an error reply, or as text of a tool.

import JSON

/// An OVSDB error object.
///
/// Shape: `{"error":TAG,"details":TEXT?,"syntax":TEXT?,"io-error":TEXT?}`.
///
/// Source: RFC 7047 §3.1 (`<error>`).
package struct OVSDBError: Error, Equatable, Sendable, CustomStringConvertible {
  package enum Tag: String, Sendable {
    case syntaxError = "syntax error"
    case unknownColumn = "unknown column"
    case unknownFunction = "unknown function"
    case unknownMutator = "unknown mutator"
    case unknownTable = "unknown table"
    case unknownDatabase = "unknown database"
    case constraintViolation = "constraint violation"
    case referentialIntegrityViolation = "referential integrity violation"
    case domainError = "domain error"
    case rangeError = "range error"
    case ovsdbError = "ovsdb error"
    case duplicateUUID = "duplicate uuid"
    case duplicateUUIDName = "duplicate uuid-name"
    case timedOut = "timed out"
    case aborted = "aborted"
    case notOwner = "not owner"
    case notAllowed = "not allowed"
    case notSupported = "not supported"
    case permissionError = "permission error"
    case invalidParameters = "invalid parameters"
    case databaseNotAvailable = "database not available"
    case canceled = "canceled"
    case resourcesExhausted = "resources exhausted"
    case ioError = "I/O error"
  }

  package var tag: Tag
  package var details: String?
  /// The offending JSON, compact, keys sorted.
  package var syntax: String?
  /// The text of an errno, with `ioError` only.
  package var ioError: String?

  package init(_ tag: Tag, _ details: String? = nil, syntax: String? = nil, ioError: String? = nil) {
    self.tag = tag
    self.details = details
    self.syntax = syntax
    self.ioError = ioError
  }

  /// An error about a piece of JSON, which goes along as `syntax`.
  package init(_ tag: Tag, _ details: String, at value: JSONValue) {
    self.init(tag, details, syntax: value.text(sorted: true))
  }

  package static func syntaxError(_ details: String, at value: JSONValue) -> OVSDBError {
    OVSDBError(.syntaxError, details, at: value)
  }

  package static func constraintViolation(_ details: String) -> OVSDBError {
    OVSDBError(.constraintViolation, details)
  }

  /// Appends the error object.
  package func write(to writer: inout ByteWriter) {
    writer.append("{")
    if let details {
      writer.append("\"details\":")
      writer.appendQuoted(details)
      writer.append(",")
    }
    writer.append("\"error\":")
    writer.appendQuoted(tag.rawValue)
    if let ioError {
      writer.append(",\"io-error\":")
      writer.appendQuoted(ioError)
    }
    if let syntax {
      writer.append(",\"syntax\":")
      writer.appendQuoted(syntax)
    }
    writer.append("}")
  }

  /// The form that tools and logs print: `syntax "JSON": TAG: DETAILS (ERRNO TEXT)`.
  package var description: String {
    var text = ""
    if let syntax { text += "syntax \"\(syntax)\": " }
    text += tag.rawValue
    if let details { text += ": \(details)" }
    if let ioError { text += " (\(ioError))" }
    return text
  }
}
