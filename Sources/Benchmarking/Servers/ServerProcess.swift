// SPDX-License-Identifier: Apache-2.0
//
// A server that the benchmark starts itself, with a directory of its own, and what /proc tells about any server.

import CBenchmarkingShims
import Glibc

/// A child process that serves one database file on a Unix socket.
///
/// Command line: `PROGRAM [ARGUMENT...] --remote=punix:SOCKET --unixctl=CONTROL -vconsole:off DATABASE`, not detached.
package final class ServerProcess {
  package let process: pid_t
  package let socketPath: String
  package let controlPath: String
  private var isRunning = true

  /// Starts a server and returns at once; `Loop.awaitServer` waits until it answers.
  ///
  /// - Parameters:
  ///   - command: The program and additional arguments, separated by spaces.
  ///   - directory: Takes the sockets and the server's own output (`server.log`).
  ///   - processors: Where the server may run, as `bench_shim_set_processors` takes it; nil for everywhere.
  package init(
    command: String, database: String, directory: String, processors: UInt64?
  ) throws(BenchmarkFailure) {
    socketPath = directory + "/db.sock"
    controlPath = directory + "/control.sock"
    var arguments = command.split(separator: " ").map(String.init)
    guard let program = arguments.first else { throw .usage("the server's command is empty") }
    guard access(program, X_OK) == 0 else { throw .current(program) }
    arguments += ["--remote=punix:" + socketPath, "--unixctl=" + controlPath, "-vconsole:off", database]
    let environment = ["OVS_RUNDIR=" + directory, "OVS_LOGDIR=" + directory, "OVS_DBDIR=" + directory]
    let usual = bench_shim_get_processors()
    if let processors, bench_shim_set_processors(processors) != 0 { throw .current("pinning the server") }
    defer { if processors != nil { _ = bench_shim_set_processors(usual) } }
    process = try ServerProcess.spawn(program, arguments, environment, output: directory + "/server.log")
  }

  deinit { stop() }

  /// Ends the server and waits for it: politely first, by SIGKILL when that takes more than ten seconds.
  package func stop() {
    guard isRunning else { return }
    isRunning = false
    kill(process, SIGTERM)
    for _ in 0..<2000 {
      if waitpid(process, nil, WNOHANG) != 0 { return }
      Clock.sleep(milliseconds: 5)
    }
    kill(process, SIGKILL)
    waitpid(process, nil, 0)
  }

  /// Throws `.gone` with the last words of the server when it has ended.
  package func checkIsRunning() throws(BenchmarkFailure) {
    guard isRunning else { throw .gone("the server was stopped") }
    guard waitpid(process, nil, WNOHANG) == process else { return }
    isRunning = false
    let directory = socketPath.prefix { _ in true }.dropLast("/db.sock".count)
    let words = (try? FileText.read(directory + "/server.log")) ?? ""
    throw .gone("the server ended: \(words.suffix(500))")
  }

  private static func spawn(
    _ program: String, _ arguments: [String], _ environment: [String], output: String
  ) throws(BenchmarkFailure) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var argumentPointers = arguments.map { strdup($0) } + [nil]
    var environmentPointers = (environment + inherited()).map { strdup($0) } + [nil]
    defer { for pointer in argumentPointers + environmentPointers { free(pointer) } }
    var attributes = try defaultSignals()
    defer { posix_spawnattr_destroy(&attributes) }
    var process: pid_t = 0
    let code = posix_spawn(&process, program, &actions, &attributes, &argumentPointers, &environmentPointers)
    guard code == 0 else { throw .system(operation: program, errno: code) }
    return process
  }

  /// Signals as a shell would give them, whatever the caller blocks or ignores: SIGTERM must end the server.
  private static func defaultSignals() throws(BenchmarkFailure) -> posix_spawnattr_t {
    var attributes = posix_spawnattr_t()
    var none = sigset_t()
    var all = sigset_t()
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_init(&attributes)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    let code = posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    guard code == 0 else { throw .system(operation: "posix_spawnattr_setflags", errno: code) }
    return attributes
  }

  /// What of the caller's environment a server needs to find its libraries.
  private static func inherited() -> [String] {
    ["PATH", "LD_LIBRARY_PATH", "TMPDIR", "MALLOC_ARENA_MAX", "LD_PRELOAD"].compactMap { name in
      getenv(name).map { name + "=" + String(cString: $0) }
    }
  }
}

/// Memory of a process, from /proc/PID/status.
package struct ProcessMemory {
  /// Bytes in memory now (VmRSS) and at most so far (VmHWM).
  package var residentSize: Int
  package var residentSizeMax: Int

  package init(of process: pid_t) throws(BenchmarkFailure) {
    let text = try FileText.read("/proc/\(process)/status")
    var values: [Substring: Int] = [:]
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == ":" || $0 == " " || $0 == "\t" })
      if words.count == 3, words[2] == "kB", let value = Int(words[1]) { values[words[0]] = value * 1024 }
    }
    guard let now = values["VmRSS"], let largest = values["VmHWM"] else {
      throw .gone("process \(process) has ended")
    }
    residentSize = now
    residentSizeMax = largest
  }
}

/// Whole files as text, by way of the C library.
package enum FileText {
  package static func read(_ path: some StringProtocol) throws(BenchmarkFailure) -> String {
    let descriptor = open(String(path), O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .current(String(path)) }
    defer { close(descriptor) }
    var result: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 { throw .current(String(path)) }
      if count == 0 { return String(decoding: result, as: UTF8.self) }
      result += buffer[..<count]
    }
  }
}
