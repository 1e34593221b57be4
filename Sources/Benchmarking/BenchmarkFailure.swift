// SPDX-License-Identifier: Apache-2.0
//
// Benchmarking: the library behind `ovsdb-bench`. It drives an OVSDB server through raw Unix sockets on one thread and
// measures what the server does with it. Read `Workload.swift` for what can be measured, `Load.swift` and
// `FanOut.swift` for how requests are kept flowing, `MessageScanner.swift` for how replies are judged without being
// parsed, and `Runner.swift` for how servers are compared.

import Glibc

/// Why a benchmark has no result. A benchmark never goes on after one: a number measured beside an error means nothing.
package enum BenchmarkFailure: Error, Equatable, CustomStringConvertible {
  /// The command line asks for something that does not exist.
  case usage(String)
  /// The kernel refused an operation; the second value is errno.
  case system(operation: String, errno: Int32)
  /// The server answered with an error, or with something that is no JSON-RPC message.
  case server(String)
  /// Everything was answered, but rows or updates are missing or too many.
  case wrongResult(String)
  /// The server closed a connection, ended, or did not answer in time.
  case gone(String)
  /// The user sent SIGINT or SIGTERM.
  case interrupted

  package var description: String {
    switch self {
    case .usage(let text): text
    case .system(let operation, let code): "\(operation): \(String(cString: strerror(code)))"
    case .server(let text): "the server answered: \(text)"
    case .wrongResult(let text): "wrong result: \(text)"
    case .gone(let text): text
    case .interrupted: "interrupted"
    }
  }

  /// The failure for a system call that has just returned -1.
  static func current(_ operation: String) -> BenchmarkFailure { .system(operation: operation, errno: errno) }
}
