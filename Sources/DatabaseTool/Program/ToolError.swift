// SPDX-License-Identifier: Apache-2.0
//
// How a command fails: `ovsdb-tool: TEXT` on standard error and a status.

import Daemon
import Glibc
import Journal
import OVSDB

struct ToolError: Error {
  /// What standard error shows behind the program's name.
  var text: String
  var status: Int32 = EXIT_FAILURE
  /// Lines for the log, module `lockfile`.
  var lockWarnings: [String] = []
  /// False for the one message that the peer prints without its name.
  var hasProgramName = true

  init(_ text: String, status: Int32 = EXIT_FAILURE) {
    self.text = text
    self.status = status
  }

  init(_ error: LogError) {
    text = error.description
    lockWarnings = error.lockWarnings
  }

  /// As the peer's compact and convert print it: a lock that cannot be had without the tag.
  init(rewriting error: LogError) {
    self.init(error)
    if !error.lockWarnings.isEmpty { text = error.message }
  }

  init(_ error: OVSDBError) { text = error.description }

  func report() {
    let log = LogModule("lockfile")
    for warning in lockWarnings { log.warn(warning) }
    Program.writeError(hasProgramName ? "\(Program.name): \(text)\n" : "\(text)\n")
  }

  /// Reads something out of JSON, and fails as a command when it is not right.
  static func parsing<R>(_ body: () throws(OVSDBError) -> R) throws(ToolError) -> R {
    do throws(OVSDBError) {
      return try body()
    } catch {
      throw ToolError(error)
    }
  }

  /// Runs something that fails with an error of files, and fails with it as a command.
  static func wrapping<R>(_ body: () throws(LogError) -> R) throws(ToolError) -> R {
    do throws(LogError) {
      return try body()
    } catch {
      throw ToolError(error)
    }
  }
}
