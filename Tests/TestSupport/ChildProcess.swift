// SPDX-License-Identifier: Apache-2.0
//
// Programs that tests run: short commands with their output, and servers that live for a while. Every child runs in a
// process group of its own and is known to the reaper (Reaper.swift), so nothing outlives the test run.

import Foundation

package struct ProcessError: Error, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}

/// What a command left behind.
package struct CommandResult: Sendable, Equatable, CustomStringConvertible {
  /// The exit status, or 128 plus the number of the signal that ended it.
  package var status: Int32
  package var standardOutput: String
  package var standardError: String

  package init(status: Int32, standardOutput: String, standardError: String) {
    self.status = status
    self.standardOutput = standardOutput
    self.standardError = standardError
  }

  package var description: String {
    "status \(status)\nstdout: \(standardOutput)\nstderr: \(standardError)"
  }

  package var trimmed: String { standardOutput.trimmingCharacters(in: .whitespacesAndNewlines) }
}

/// A running program. Owned by one test; ended by `stop()` or, at the latest, by the reaper.
package final class ChildProcess {
  package let pid: pid_t
  package let name: String
  package private(set) var exitStatus: Int32?

  /// Starts a program with its output in files.
  ///
  /// - Parameters:
  ///   - environment: Added to (and stronger than) the environment of the tests.
  ///   - input: A file for standard input, `/dev/null` by default.
  ///   - descriptors: Ours that the program inherits, by the numbers they have there. Ours must be out of the way of those.
  package init(
    _ program: String, _ arguments: [String], environment: [String: String] = [:], directory: String,
    input: String = "/dev/null", output: String, errors: String, descriptors: [Int32: Int32] = [:]
  ) throws {
    name = program
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    for (number, ours) in descriptors { posix_spawn_file_actions_adddup2(&actions, ours, number) }
    // Nothing else that the tests have open at the moment, here or in a library, is the child's business.
    for number in Int32(3)..<1000 where descriptors[number] == nil { posix_spawn_file_actions_addclose(&actions, number) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The threads that run tests block signals; a child must not inherit that.
    var noSignals = sigset_t()
    sigemptyset(&noSignals)
    posix_spawnattr_setsigmask(&attributes, &noSignals)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))

    let merged = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    // The shell changes directory (spawning cannot, portably) and becomes the program.
    let words = ["sh", "-c", "cd \"$0\" && exec \"$@\"", directory, program] + arguments
    var argumentPointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    var environmentPointers: [UnsafeMutablePointer<CChar>?] = merged.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer {
      argumentPointers.forEach { free($0) }
      environmentPointers.forEach { free($0) }
    }
    var child: pid_t = 0
    let code = posix_spawn(&child, "/bin/sh", &actions, &attributes, &argumentPointers, &environmentPointers)
    guard code == 0 else { throw ProcessError("\(program): \(String(cString: strerror(code)))") }
    pid = child
    Reaper.shared.adopt(processGroup: child)
  }

  deinit { stop() }

  /// Whether the program still runs; collects its exit status when it does not.
  package var isRunning: Bool {
    guard exitStatus == nil else { return false }
    var status: Int32 = 0
    guard waitpid(pid, &status, WNOHANG) == pid else { return true }
    let signal = status & 0x7f
    exitStatus = signal == 0 ? (status >> 8) & 0xff : 128 + signal
    Reaper.shared.release(processGroup: pid)
    return false
  }

  /// Waits for the end of the program.
  package func waitForExit(seconds: Double = 30) throws -> Int32 {
    try waitUntil("the end of \(name)", seconds: seconds) { !isRunning }
    return exitStatus ?? -1
  }

  package func signal(_ number: Int32) { if exitStatus == nil { kill(pid, number) } }

  /// Ends the program: politely for a while, then for good.
  package func stop() {
    guard isRunning else { return }
    signal(SIGTERM)
    do {
      _ = try waitForExit(seconds: 30)
    } catch {
      kill(-pid, SIGKILL)
      // A killed process cannot refuse: this wait ends.
      while isRunning { usleep(1000) }
    }
  }
}

/// Runs a command to its end.
///
/// - Parameter seconds: After this time the command is killed and an error thrown.
package func run(
  _ program: String, _ arguments: [String], environment: [String: String] = [:], in directory: RunDirectory,
  input: String = "/dev/null", seconds: Double = 60
) throws -> CommandResult {
  let name = directory.uniqueName("command")
  let output = directory.path(name + ".out")
  let errors = directory.path(name + ".err")
  defer {
    unlink(output)
    unlink(errors)
  }
  let child = try ChildProcess(
    program, arguments, environment: directory.environment.merging(environment) { $1 }, directory: directory.path,
    input: input, output: output, errors: errors)
  do {
    let status = try child.waitForExit(seconds: seconds)
    return CommandResult(
      status: status, standardOutput: try readText(output), standardError: try readText(errors))
  } catch {
    child.signal(SIGKILL)
    let said = (try? readText(errors)) ?? ""
    throw ProcessError("\(program) \(arguments.joined(separator: " ")): \(error); it said: \(said)")
  }
}

/// Runs a command that must succeed, and gives its standard output.
@discardableResult
package func succeed(
  _ program: String, _ arguments: [String], environment: [String: String] = [:], in directory: RunDirectory,
  input: String = "/dev/null", seconds: Double = 60
) throws -> String {
  let result = try run(
    program, arguments, environment: environment, in: directory, input: input, seconds: seconds)
  guard result.status == 0 else {
    throw ProcessError("\(program) \(arguments.joined(separator: " ")) failed: \(result)")
  }
  return result.standardOutput
}

package func readBytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

package func readText(_ path: String) throws -> String { String(decoding: try readBytes(path), as: UTF8.self) }

package func write(_ text: String, to path: String) throws {
  try Data(text.utf8).write(to: URL(fileURLWithPath: path))
}

/// Waits for a condition, looking at it every few milliseconds.
///
/// - Throws: `ProcessError` when it does not hold after `seconds`.
package func waitUntil(_ what: String, seconds: Double = 60, _ condition: () throws -> Bool) throws {
  let deadline = Deadline(seconds: seconds)
  var pauseMicroseconds: UInt32 = 200
  while try !condition() {
    guard !deadline.hasPassed else { throw ProcessError("waited \(seconds) s in vain for \(what)") }
    usleep(pauseMicroseconds)
    pauseMicroseconds = min(pauseMicroseconds * 2, 10_000)
  }
}

/// A point in time on the monotonic clock.
package struct Deadline: Sendable {
  private let end: ContinuousClock.Instant

  package init(seconds: Double) { end = .now + .milliseconds(Int(seconds * 1000)) }

  package var hasPassed: Bool { .now >= end }

  package var remainingMilliseconds: Int32 {
    let (seconds, attoseconds) = (end - .now).components
    return max(0, Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000))
  }
}
