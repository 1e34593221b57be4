// SPDX-License-Identifier: Apache-2.0
//
// The grammar of `-v`, `--verbose` and `vlog/set`.
//
// Shape: words separated by colon, comma or space: at most one module, one destination (`console`, `syslog`, `file`) and
// one level (`off emer err warn info dbg`; none: dbg); the word `any` says nothing. Or `PATTERN:DESTINATION:PATTERN`
// with `any` for all destinations, or `FACILITY:NAME`. Letter case does not matter.
//
// Source: ovs-appctl(8) vlog/set; Documentation/protocol/server.md#logging for the error texts.

import Glibc

package struct LogSpecificationError: Error, Equatable, Sendable {
  package var text: String
  package init(_ text: String) { self.text = text }
}

enum LogSpecification: Equatable, Sendable {
  /// nil: all modules, all destinations.
  case levels(module: String?, destination: LogDestination?, level: LogLevel)
  case pattern(LogDestination?, String)
  case facility(Int32)

  private static let separators: Set<Character> = [" ", ":", ","]

  /// - Parameter isModule: Whether there is a module of that (lower-case) name.
  init(parsing text: String, isModule: (String) -> Bool) throws(LogSpecificationError) {
    var rest = text[...]
    let first = Self.word(&rest)?.lowercased()
    switch first {
    case "pattern":
      self = try Self.parsePattern(rest)
    case "facility":
      let name = Self.word(&rest) ?? ""
      guard let facility = SyslogFacility.value(of: name) else { throw LogSpecificationError("invalid facility") }
      self = .facility(facility)
    default:
      self = try Self.parseLevels(text[...], isModule: isModule)
    }
  }

  private static func parsePattern(_ text: Substring) throws(LogSpecificationError) -> LogSpecification {
    var rest = text
    guard let name = word(&rest) else { throw LogSpecificationError("missing destination") }
    // One separator ends the destination; what follows is the pattern as it stands.
    let pattern = String(rest.dropFirst())
    if name.lowercased() == "any" { return .pattern(nil, pattern) }
    guard let destination = destination(named: name) else {
      throw LogSpecificationError("unknown destination \"\(name)\"")
    }
    return .pattern(destination, pattern)
  }

  private static func parseLevels(
    _ text: Substring, isModule: (String) -> Bool
  ) throws(LogSpecificationError) -> LogSpecification {
    var module: String?
    var destination: LogDestination?
    var level: LogLevel?
    var rest = text
    while let word = word(&rest) {
      let lower = word.lowercased()
      if lower == "any" { continue }
      if let found = self.destination(named: word) {
        guard destination == nil else { throw LogSpecificationError("cannot specify multiple destinations") }
        destination = found
      } else if let found = LogLevel.allCases.first(where: { $0.name.lowercased() == lower }) {
        guard level == nil else { throw LogSpecificationError("cannot specify multiple levels") }
        level = found
      } else if isModule(lower) {
        guard module == nil else { throw LogSpecificationError("cannot specify multiple modules") }
        module = lower
      } else {
        throw LogSpecificationError("no destination, level, or module \"\(word)\"")
      }
    }
    return .levels(module: module, destination: destination, level: level ?? .dbg)
  }

  private static func destination(named name: Substring) -> LogDestination? {
    LogDestination.allCases.first { $0.name.lowercased() == name.lowercased() }
  }

  /// Takes the next word; leaves the separator behind it in `rest`.
  private static func word(_ rest: inout Substring) -> Substring? {
    rest = rest.drop { separators.contains($0) }
    let word = rest.prefix { !separators.contains($0) }
    rest = rest.dropFirst(word.count)
    return word.isEmpty ? nil : word
  }
}

/// The facilities of syslog(3) by name.
enum SyslogFacility {
  private static let values: [String: Int32] = [
    "kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "syslog": 5, "lpr": 6, "news": 7, "uucp": 8, "clock": 9,
    "ftp": 11, "ntp": 12, "audit": 13, "alert": 14, "clock2": 15, "local0": 16, "local1": 17, "local2": 18,
    "local3": 19, "local4": 20, "local5": 21, "local6": 22, "local7": 23,
  ]
  static let daemon: Int32 = 3 << 3
  static let local0: Int32 = 16 << 3

  /// Shifted as syslog(3) wants it.
  static func value(of name: some StringProtocol) -> Int32? { values[name.lowercased()].map { $0 << 3 } }
}
