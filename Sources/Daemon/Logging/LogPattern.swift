// SPDX-License-Identifier: Apache-2.0
//
// The pattern of a log line, read once into pieces, then rendered for each message.
//
// Shape: text with fields `%[-][0][WIDTH]LETTER`; `%d` and `%D` may be followed by `{FORMAT}` of strftime(3) in which
// `#` stands for a digit of the second's fraction. Letters: A program, B syslog priority, c module, d/D local/UTC time,
// E host, m message, N sequence number, n line feed, p level, P process, r milliseconds since the start, t/T thread,
// % itself. Any other letter stands for itself.
//
// Source: ovs-appctl(8) vlog/set PATTERN; odd cases observed: ovsdb-server 3.1 (`%q` prints q, `%5.` pads the dot).

import Glibc

/// What the fields of a line are filled with.
struct LogRecord {
  var level: LogLevel
  var module: String
  var text: String
  var sequence: Int
  /// Since 1970, UTC.
  var wallMilliseconds: Int64
  var facility: Int32
  /// Name of the subprogram (`monitor`), empty in the main one.
  var subprogram: String
  var hostName: String
}

struct LogPattern: Sendable {
  private enum Field: Sendable, Equatable {
    case program, priority, module, hostName, message, sequence, lineFeed, level, process, uptime
    case threadName, threadSuffix
    case time(format: String, utc: Bool)
    case literal(Character)
  }

  private enum Piece: Sendable {
    case text(String)
    case field(Field, width: Int, leftAligned: Bool, zeros: Bool)
  }

  /// A padding wider than this is a mistake, or worse.
  static let widthMax = 1024

  let source: String
  private let pieces: [Piece]

  static let defaultTimeFormat = "%Y-%m-%d %H:%M:%S.###"

  init(_ source: String) {
    self.source = source
    var pieces: [Piece] = []
    var text = ""
    var rest = source[...]
    while let character = rest.popFirst() {
      guard character == "%" else {
        text.append(character)
        continue
      }
      if !text.isEmpty { pieces.append(.text(text)) }
      text = ""
      if let piece = Self.parseField(&rest) { pieces.append(piece) } else { text = "%" }
    }
    if !text.isEmpty { pieces.append(.text(text)) }
    self.pieces = pieces
  }

  /// Reads one field behind its `%`; nil at the end of the pattern.
  private static func parseField(_ rest: inout Substring) -> Piece? {
    var leftAligned = false
    var zeros = false
    if rest.first == "-" {
      leftAligned = true
      rest.removeFirst()
    }
    if rest.first == "0" {
      zeros = true
      rest.removeFirst()
    }
    var width = 0
    while let character = rest.first, let digit = character.wholeNumberValue, character.isASCII {
      width = min(widthMax, width * 10 + digit)
      rest.removeFirst()
    }
    guard let letter = rest.popFirst() else { return nil }
    let field: Field =
      switch letter {
      case "A": .program
      case "B": .priority
      case "c": .module
      case "d": .time(format: parseTimeFormat(&rest), utc: false)
      case "D": .time(format: parseTimeFormat(&rest), utc: true)
      case "E": .hostName
      case "m": .message
      case "N": .sequence
      case "n": .lineFeed
      case "p": .level
      case "P": .process
      case "r": .uptime
      case "t": .threadName
      case "T": .threadSuffix
      default: .literal(letter)
      }
    return .field(field, width: width, leftAligned: leftAligned, zeros: zeros)
  }

  /// Reads `{FORMAT}` if it is there and not empty.
  private static func parseTimeFormat(_ rest: inout Substring) -> String {
    guard rest.first == "{", let end = rest.firstIndex(of: "}") else { return defaultTimeFormat }
    let format = String(rest[rest.index(after: rest.startIndex)..<end])
    rest = rest[rest.index(after: end)...]
    return format.isEmpty ? defaultTimeFormat : format
  }

  func render(_ record: LogRecord) -> String {
    var line = ""
    for piece in pieces {
      switch piece {
      case .text(let text): line += text
      case .field(let field, let width, let leftAligned, let zeros):
        let text = Self.text(of: field, in: record)
        let missing = width > 0 ? width - text.utf8.count : 0
        let padding = missing > 0 ? String(repeating: zeros ? "0" : " ", count: missing) : ""
        line += leftAligned ? text + padding : padding + text
      }
    }
    return line
  }

  private static func text(of field: Field, in record: LogRecord) -> String {
    switch field {
    case .program: Program.name
    case .priority: String(record.facility + record.level.syslogPriority)
    case .module: record.module
    case .hostName: record.hostName
    case .message: record.text
    case .sequence: String(record.sequence)
    case .lineFeed: "\n"
    case .level: record.level.name
    case .process: String(getpid())
    case .uptime: String(Program.uptimeMilliseconds)
    case .threadName: record.subprogram.isEmpty ? "main" : record.subprogram
    case .threadSuffix: record.subprogram.isEmpty ? "" : "(\(record.subprogram))"
    case .time(let format, let utc): TimeText.text(record.wallMilliseconds, format: format, utc: utc)
    case .literal(let character): String(character)
    }
  }
}

/// Times in words.
package enum TimeText {
  /// strftime(3), where each run of `#` becomes as many digits of the second's fraction (known to milliseconds).
  package static func text(_ wallMilliseconds: Int64, format: String, utc: Bool) -> String {
    var seconds = time_t(wallMilliseconds / 1000)
    var parts = tm()
    if utc { gmtime_r(&seconds, &parts) } else { localtime_r(&seconds, &parts) }
    let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer -> String in
      guard let base = buffer.baseAddress else { return "" }
      // 0: the text does not fit, or is empty. Either way there is nothing to show.
      return strftime(base, buffer.count, format, &parts) == 0 ? "" : String(cString: base)
    }
    guard text.contains("#") else { return text }
    let fraction = Array(String(1000 + wallMilliseconds % 1000).dropFirst())
    var place = 0
    return String(
      text.map { character -> Character in
        guard character == "#" else {
          place = 0
          return character
        }
        defer { place += 1 }
        return place < fraction.count ? fraction[place] : "0"
      })
  }
}
