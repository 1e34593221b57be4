// SPDX-License-Identifier: Apache-2.0
//
// The one place that knows all modules and destinations: levels, patterns, sequence numbers, the log file. `LogModule`
// is its front, `Syslog` and `LogPattern` do parts of its work, `Control` puts its operations on the control socket.
//
// One lock. It is held while a line is written: lines of several threads do not mix and stay in sequence. Messages below
// every level never come here.

import CPosixShims
import Glibc
import Synchronization

package final class LogSystem: Sendable {
  package static let shared = LogSystem()

  private struct State {
    var modules: [String: LogModuleState] = [:]
    /// What a module gets that is made later. Index: `LogDestination.rawValue`.
    var levels: [LogLevel] = [.info, .info, .info]
    var patterns = [
      LogPattern("ovs|%05N|%c%T|%p|%m"),
      LogPattern("%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m"),
      LogPattern("%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m"),
    ]
    var sequence = 0
    /// -1: closed.
    var file: Int32 = -1
    /// As given, for messages. nil: no log file configured. Stays when the file is closed.
    var filePath: String?
    /// The same file after a change of directory.
    var absoluteFilePath: String?
    var facility: Int32?
    var syslog: Syslog?
    /// `--syslog-target`: in addition.
    var target: Syslog?
    var subprogram = ""
    var hostName = LogSystem.readHostName()
  }

  private let state = Mutex(State())

  private init() {
    for name in Self.knownModules { _ = module(named: name) }
  }

  /// Modules that users of these programs name on command lines: they exist from the start, so that `-vjsonrpc:dbg` is
  /// no mistake in a program that has not made that module yet.
  private static let knownModules = [
    "backtrace", "command_line", "coverage", "daemon", "daemon_unix", "dns_resolve", "entropy", "fatal_signal", "hmap",
    "jsonrpc", "lockfile", "memory", "ovs_rcu", "ovs_replay", "ovs_thread", "ovsdb", "ovsdb_cs", "ovsdb_error",
    "ovsdb_file", "ovsdb_idl", "ovsdb_jsonrpc_server", "ovsdb_log", "ovsdb_monitor", "ovsdb_rbac", "ovsdb_server",
    "ovsdb_util", "poll_loop", "process", "raft", "raft_rpc", "reconnect", "relay", "replication", "sha1", "signals",
    "socket_util", "socket_util_unix", "storage", "stream", "stream_fd", "stream_replay", "stream_ssl", "stream_tcp",
    "stream_unix", "svec", "timeval", "transaction", "transaction_forward", "trigger", "unixctl", "util", "uuid", "vlog",
  ]

  private static let log = LogModule("vlog")

  // MARK: Modules and levels

  func module(named name: String) -> LogModuleState {
    state.withLock { state in
      if let module = state.modules[name] { return module }
      let module = LogModuleState(name: name)
      for destination in LogDestination.allCases {
        module.setLevel(state.levels[destination.rawValue], destination)
      }
      Self.updateThreshold(module, fileIsOpen: state.file >= 0)
      state.modules[name] = module
      return module
    }
  }

  private static func updateThreshold(_ module: LogModuleState, fileIsOpen: Bool) {
    var threshold = max(module.level(.console), module.level(.syslog))
    if fileIsOpen { threshold = max(threshold, module.level(.file)) }
    module.threshold.store(threshold.rawValue, ordering: .relaxed)
  }

  /// Carries out one SPEC of `-v` or `vlog/set`.
  package func apply(specification: String) throws(LogSpecificationError) {
    let known = state.withLock { Set($0.modules.keys) }
    let specification = try LogSpecification(parsing: specification) { known.contains($0) }
    switch specification {
    case .levels(let module, let destination, let level):
      setLevel(level, module: module, destination: destination)
    case .pattern(let destination, let pattern):
      let pattern = LogPattern(pattern)
      state.withLock { state in
        for each in LogDestination.allCases where destination == nil || destination == each {
          state.patterns[each.rawValue] = pattern
        }
      }
    case .facility(let facility):
      state.withLock { state in
        state.facility = facility
        state.syslog?.facilityChanged(facility)
      }
    }
  }

  /// - Parameters: nil stands for all modules, or all destinations.
  package func setLevel(_ level: LogLevel, module: String? = nil, destination: LogDestination? = nil) {
    state.withLock { state in
      for each in LogDestination.allCases where destination == nil || destination == each {
        if let module {
          state.modules[module]?.setLevel(level, each)
        } else {
          state.levels[each.rawValue] = level
          for state in state.modules.values { state.setLevel(level, each) }
        }
      }
      for module in state.modules.values { Self.updateThreshold(module, fileIsOpen: state.file >= 0) }
    }
  }

  /// Turns the honouring of rate limits on or off; no module named, or `any`: for all.
  ///
  /// - Throws: When a name is unknown; the modules before it are changed.
  package func setRateLimits(_ isOn: Bool, modules names: [String]) throws(LogSpecificationError) {
    let modules = state.withLock { $0.modules }
    for name in names.isEmpty ? ["any"] : names {
      if name.lowercased() == "any" {
        for module in modules.values { module.honorsRateLimits.store(isOn, ordering: .relaxed) }
      } else if let module = modules[name.lowercased()] {
        module.honorsRateLimits.store(isOn, ordering: .relaxed)
      } else {
        throw LogSpecificationError("unknown module")
      }
    }
  }

  // MARK: Lists

  /// What `vlog/list` answers.
  package var levelTable: String {
    let modules = state.withLock { $0.modules }.values.sorted { Array($0.name.utf8).lexicographicallyPrecedes($1.name.utf8) }
    var table = "                 console    syslog    file\n                 -------    ------    ------\n"
    for module in modules {
      table += module.name.padded(to: 16) + "  " + module.level(.console).name.leftPadded(to: 4)
      table += "       " + module.level(.syslog).name.leftPadded(to: 4)
      table += "       " + module.level(.file).name.leftPadded(to: 4)
      table += module.honorsRateLimits.load(ordering: .relaxed) ? "\n" : "    (rate limiting disabled)\n"
    }
    return table
  }

  /// What `vlog/list-pattern` answers.
  package var patternTable: String {
    state.withLock { state in
      var table = "         prefix                            format\n         ------                            ------\n"
      for destination in LogDestination.allCases {
        let prefix = destination == .syslog ? Self.openedSyslog(&state).prefix : "none"
        table += destination.name.padded(to: 8) + " " + prefix.padded(to: 32) + "  "
        table += state.patterns[destination.rawValue].source + "\n"
      }
      return table
    }
  }

  // MARK: The log file

  /// Opens (or opens again) the file that lines are appended to, made with mode 0660 when missing. Nothing is said or done when the
  /// path still leads to the file that is open.
  ///
  /// - Returns: nil, or the errno value; then a WARN has been logged and the old file, if there was one, is still used.
  package func openFile(_ path: String) -> Int32? {
    let absolutePath = path.isEmpty ? path : Paths.absolute(path, in: Paths.workingDirectory)
    if let error = openFile(path, absolutePath) { return error }
    state.withLock { $0.absoluteFilePath = absolutePath }
    return nil
  }

  private func openFile(_ path: String, _ absolutePath: String) -> Int32? {
    // A FIFO must not stop the program: neither without a reader, nor when it is full.
    let descriptor = posix_shim_open(absolutePath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0o660)
    let error = errno
    guard descriptor >= 0 else {
      Self.log.warn("failed to open \(path) for logging: \(SystemError.text(error))")
      return error
    }
    let old = state.withLock { state in
      state.filePath = path
      return state.file
    }
    if old >= 0, Self.isSameFile(old, descriptor) {
      close(descriptor)
      return nil
    }
    // The old file's last line, for whoever reads it after its rotation.
    if old >= 0 { Self.log.info("closing log file") }
    state.withLock { Self.replaceFile(descriptor, in: &$0) }
    Self.log.info("opened log file \(path)")
    return nil
  }

  /// For rotation: the path is opened afresh.
  ///
  /// - Returns: nil, or the text of the error.
  package func reopenFile() -> String? {
    let (path, absolutePath) = state.withLock { ($0.filePath, $0.absoluteFilePath) }
    guard let path, let absolutePath else { return "Logging to file not configured" }
    return openFile(path, absolutePath).map(SystemError.text)
  }

  private static func isSameFile(_ a: Int32, _ b: Int32) -> Bool {
    var (first, second) = (stat(), stat())
    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev && first.st_ino == second.st_ino
  }

  /// Closes the file until `reopenFile`. Nothing happens without one.
  ///
  /// - Parameter isAnnounced: whether the file's last line says so.
  package func closeFile(isAnnounced: Bool = false) {
    guard state.withLock({ $0.file >= 0 }) else { return }
    if isAnnounced { Self.log.info("closing log file") }
    state.withLock { Self.replaceFile(-1, in: &$0) }
  }

  /// Gives the file to another user, before this process becomes that user.
  func changeFileOwner(user: uid_t, group: gid_t) -> Int32? {
    state.withLock { state in
      guard state.file >= 0 else { return nil }
      return fchown(state.file, user, group) == 0 ? nil : errno
    }
  }

  private static func replaceFile(_ descriptor: Int32, in state: inout State) {
    posix_shim_crash_log(descriptor)
    if state.file >= 0 { close(state.file) }
    state.file = descriptor
    for module in state.modules.values { updateThreshold(module, fileIsOpen: descriptor >= 0) }
  }

  // MARK: The system log

  /// - Throws: For a method that does not exist. One that does not work stays silent, as a system log that is down does.
  package func setSyslogMethod(_ method: String) throws(LogSpecificationError) {
    guard let parsed = SyslogMethod(method) else { throw LogSpecificationError("unsupported syslog method '\(method)'") }
    let socket = SyslogSocket.open(parsed)
    for problem in socket.problems { LogModule("socket_util").err(problem) }
    state.withLock { $0.syslog = Syslog(method: parsed, socket: socket, facility: $0.facility) }
  }

  /// `OVS_SYSLOG_METHOD` if it is set; before the options are read, which may say otherwise.
  func setSyslogMethodFromEnvironment() throws(LogSpecificationError) {
    if let method = Paths.environment("OVS_SYSLOG_METHOD") { try setSyslogMethod(method) }
  }

  package func setSyslogTarget(_ target: String) {
    let socket = SyslogSocket.connectUDP(target, defaultPort: nil)
    for problem in socket.problems { LogModule("socket_util").err(problem) }
    guard socket.descriptor >= 0 else { return }
    state.withLock { $0.target = Syslog(method: .udp(target), socket: socket, facility: $0.facility) }
    Self.log.warn("--syslog-target flag is deprecated, use --syslog-method instead")
  }

  private static func openedSyslog(_ state: inout State) -> Syslog {
    if let syslog = state.syslog { return syslog }
    let syslog = Syslog(method: .libc, socket: SyslogSocket(), facility: state.facility)
    state.syslog = syslog
    return syslog
  }

  // MARK: Processes

  /// Named in each line as `module(NAME)` from now on: the watcher process, and whom it started again.
  package func setSubprogram(_ name: String) { state.withLock { $0.subprogram = name } }

  /// Whether this is a process that nobody started from a terminal: the watcher, or whom it started again.
  var isSubprogram: Bool { state.withLock { !$0.subprogram.isEmpty } }

  private static func readHostName() -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      buffer.initialize(repeating: 0)
      guard let base = buffer.baseAddress, gethostname(base, buffer.count - 1) == 0 else { return "localhost" }
      return String(cString: base)
    }
  }

  // MARK: Messages

  /// - Parameter skipsConsole: the text is said there in another form.
  func emit(_ module: LogModuleState, _ level: LogLevel, _ text: String, skipsConsole: Bool = false) {
    state.withLock { state in
      state.sequence += 1
      var record = LogRecord(
        level: level, module: module.name, text: text.escapingControlCharacters(), sequence: state.sequence,
        wallMilliseconds: Clock.wallMilliseconds(), facility: state.facility ?? SyslogFacility.daemon,
        subprogram: state.subprogram, hostName: state.hostName)
      if !skipsConsole, level <= module.level(.console) {
        Program.writeError(state.patterns[LogDestination.console.rawValue].render(record) + "\n")
      }
      if state.file >= 0, level <= module.level(.file) {
        // A full disk or pipe must not stop the program; the line is lost, the other destinations have it.
        _ = FileDescriptorWriter.writeAll(
          state.patterns[LogDestination.file.rawValue].render(record) + "\n", to: state.file, waits: false)
      }
      guard level <= module.level(.syslog) else { return }
      Self.openedSyslog(&state).send(state.patterns[LogDestination.syslog.rawValue].render(record), record)
      if let target = state.target {
        record.facility = state.facility ?? SyslogFacility.local0
        target.sendStructured(record)
      }
    }
  }
}

extension String {
  /// Filled with spaces on the right.
  package func padded(to width: Int) -> String {
    utf8.count >= width ? self : self + String(repeating: " ", count: width - utf8.count)
  }

  /// Filled with spaces on the left.
  package func leftPadded(to width: Int) -> String {
    utf8.count >= width ? self : String(repeating: " ", count: width - utf8.count) + self
  }
}
