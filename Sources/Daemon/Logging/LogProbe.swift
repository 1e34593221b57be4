// SPDX-License-Identifier: Apache-2.0
//
// The reader of `vlog/set`, without the log of the process: for fuzzers.

package enum LogProbe {
  /// What a SPEC of `vlog/set` is read as.
  ///
  /// - Returns: the line that a message becomes when it names a pattern, else nothing; nil when it is refused.
  package static func read(_ specification: String, message: String) -> String? {
    guard let read = try? LogSpecification(parsing: specification, isModule: { $0 == "jsonrpc" }) else { return nil }
    guard case .pattern(_, let pattern) = read else { return "" }
    return LogPattern(pattern).render(
      LogRecord(
        level: .warn, module: "jsonrpc", text: message, sequence: 1, wallMilliseconds: 1_600_000_000_123, facility: 1 << 3,
        subprogram: "", hostName: "host"))
  }
}
