// SPDX-License-Identifier: Apache-2.0
//
// Errors of files (family (b) of the house: storage). The texts are those that users of ovsdb-tool and ovsdb-server
// know and search for; factories below are the only place where they are spelt.

import OVSDB

/// Something is wrong with a database file.
package struct LogError: Error, Hashable, Sendable, CustomStringConvertible {
  package var tag: OVSDBError.Tag
  /// Begins with the name of the file as the user gave it, unless the error is about the contents of a record.
  package var details: String
  /// The offending JSON of a record that does not fit.
  package var syntax: String?
  /// The reason of an I/O error: the system's words, or `End of file`.
  package var ioError: String?
  /// The system's code when a system call failed; nil for a file that ended too early.
  package var code: Int32?
  /// Lines that belong into the log (module `lockfile`, level WARN) before the error is reported.
  package var lockWarnings: [String] = []

  package init(_ tag: OVSDBError.Tag, _ details: String, ioError: String? = nil, code: Int32? = nil) {
    self.tag = tag
    self.details = details
    self.ioError = ioError
    self.code = code
  }

  /// What is wrong with the contents of a record.
  package init(_ error: OVSDBError) {
    tag = error.tag
    details = error.details ?? ""
    syntax = error.syntax.map(Self.shortened)
    ioError = error.ioError
  }

  /// A record that does not fit may have megabytes; nobody reads them in a message.
  private static func shortened(_ text: String) -> String {
    text.utf8.count > syntaxByteCountMax ? String(decoding: text.utf8.prefix(syntaxByteCountMax), as: UTF8.self) + "..." : text
  }

  private static let syntaxByteCountMax = 2048

  /// As data for a client.
  package var object: OVSDBError { OVSDBError(tag, details, syntax: syntax, ioError: ioError) }

  /// Details with the reason in parentheses, without tag and syntax.
  package var message: String { ioError.map { "\(details) (\($0))" } ?? details }

  /// `syntax "JSON": TAG: DETAILS (REASON)`, as tools print it.
  package var description: String { object.description }
}

extension LogError {
  /// A system call failed: `F: WHAT failed (No such file or directory)`.
  package static func failed(_ path: String, _ what: String, _ cause: SystemError) -> LogError {
    LogError(.ioError, "\(path): \(what)", ioError: cause.text, code: cause.code)
  }

  /// An empty file, or one of a kind that is not wanted here.
  static func unidentified(_ path: String) -> LogError { LogError(.ovsdbError, "\(path): cannot identify file type") }

  /// The first line is no header.
  static func foreign(_ path: String) -> LogError { LogError(.ovsdbError, "\(path): unexpected file format") }

  static func badHeader(_ path: String, offset: Int, line: UnsafeRawBufferPointer) -> LogError {
    let text = String(decoding: RecordHeader.shownPart(of: line), as: UTF8.self)
    return LogError(.syntaxError, "\(path): parse error at offset \(offset) in header line \"\(text)\"")
  }

  static func cutOff(_ path: String, length: Int, offset: Int) -> LogError {
    LogError(.ioError, "\(path): error reading \(length) bytes starting at offset \(offset)", ioError: "End of file")
  }

  static func badHash(_ path: String, length: Int, offset: Int, actual: SHA1Digest, expected: SHA1Digest) -> LogError {
    LogError(
      .syntaxError,
      "\(path): \(length) bytes starting at offset \(offset) have SHA-1 hash \(actual) but should have hash \(expected)")
  }

  /// The data of a record are not JSON; `problem` is the parser's `line L, column C, byte B: TEXT`.
  package static func notJSON(_ path: String, _ record: Record, problem: String) -> LogError {
    LogError(
      .syntaxError, "\(path): \(record.length) bytes starting at offset \(record.offset) are not valid JSON (\(problem))")
  }

  package static func notObject(_ path: String, _ record: Record) -> LogError {
    LogError(.syntaxError, "\(path): \(record.length) bytes starting at offset \(record.offset) are not a JSON object")
  }

  /// A bad record at or behind which a write would lose something good.
  struct Damage {
    let path: String
    let record: Int
    let offset: Int
    let cause: LogError
    /// The record is whole, and what it says does not fit what came before.
    let isIntact: Bool
    let goodRecordsBehind: Int
    /// False when there was more to look through than can be looked through in reasonable time.
    let isCountComplete: Bool

    private var place: String {
      let count = "\(isCountComplete ? "" : "at least ")\(goodRecordsBehind)"
      let records = goodRecordsBehind == 1 ? "\(count) good record follows" : "\(count) good records follow"
      return "\(path): record \(record) at offset \(offset) \(isIntact ? "does not fit" : "is damaged") and \(records) it"
    }

    /// For a file that is not opened.
    var refusal: LogError {
      LogError(
        .ovsdbError,
        """
        \(place); refusing to open the file, because writing to it would discard \(isIntact ? "the record" : "them") \
        (ovsdb-tool salvage copies what is good into a new file): \(cause.object)
        """)
    }

    /// For a file that is kept as it is.
    var report: LogError { LogError(.ovsdbError, "\(place); what comes before is served read-only: \(cause.object)") }
  }
}
