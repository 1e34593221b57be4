// SPDX-License-Identifier: Apache-2.0
//
// The commands that every program has.

import Daemon
internal import JSON

extension ControlCommands {
  /// Carried out by the session, since it is about the connection.
  static let setOptions = "set-options"

  /// Adds the common commands.
  ///
  /// - Parameters:
  ///   - memoryUsage: what `memory/show` tells: number by name. Called on the control server's event loop.
  ///   - exit: what `exit` does; it has to answer the request, which may be done before the end.
  package func addStandard(
    memoryUsage: @escaping @Sendable () -> [String: Int] = { [:] },
    exit: @escaping @Sendable (ControlRequest) -> Void
  ) {
    // A closure that held `self` would keep the table alive for ever.
    add("list-commands") { [weak self] (request: ControlRequest) in
      guard let self else { return request.fail("the program is ending") }
      switch request.format {
      case .text:
        request.reply(table)
      case .json:
        var writer = ByteWriter()
        writeTable(to: &writer)
        request.reply(json: writer.bytes)
      }
    }
    // Not listed: scripts compare the list with that of Open vSwitch 3.1, which has no such command.
    add(Self.setOptions, usage: "[--format text|json]", arguments: 1...2, hidden: true) { (request: ControlRequest) in
      request.fail("set-options is about a connection")
    }
    add("version") { (_) throws(ControlError) in Program.versionLine }
    add("exit", handler: exit)
    add("memory/show") { (_) throws(ControlError) in MemoryReport.text(memoryUsage()) }
    addCoverage()
    addLogging()
  }

  private func addCoverage() {
    add("coverage/show") { (_) throws(ControlError) in Coverage.table }
    add("coverage/read-counter", usage: "COUNTER", arguments: 1...1) { (arguments) throws(ControlError) in
      guard let name = arguments.first, let counter = Coverage.existing(name) else { throw ControlError("No such counter") }
      return String(counter.total)
    }
  }

  private func addLogging() {
    add("vlog/list") { (_) throws(ControlError) in LogSystem.shared.levelTable }
    add("vlog/list-pattern") { (_) throws(ControlError) in LogSystem.shared.patternTable }
    add("vlog/set", usage: "{spec | PATTERN:destination:pattern}", arguments: 0...Int.max) { (arguments) throws(ControlError) in
      // Without any argument all is logged, as with an empty one.
      for specification in arguments.isEmpty ? [""] : arguments {
        try Self.converting { () throws(LogSpecificationError) in
          try LogSystem.shared.apply(specification: specification)
        }
      }
      return ""
    }
    add("vlog/reopen") { (_) throws(ControlError) in
      if let problem = LogSystem.shared.reopenFile() { throw ControlError(problem) }
      return ""
    }
    add("vlog/close") { (_) throws(ControlError) in
      LogSystem.shared.closeFile()
      return ""
    }
    for (name, isOn) in [("vlog/enable-rate-limit", true), ("vlog/disable-rate-limit", false)] {
      add(name, usage: "[module]...", arguments: 0...Int.max) { (arguments) throws(ControlError) in
        try Self.converting { () throws(LogSpecificationError) in
          try LogSystem.shared.setRateLimits(isOn, modules: arguments)
        }
        return ""
      }
    }
    add("vlog/message", usage: "TEXT", arguments: 1...1, hidden: true) { (arguments) throws(ControlError) in
      LogModule("vlog").info(arguments.first ?? "")
      return ""
    }
  }

  private static func converting(_ body: () throws(LogSpecificationError) -> Void) throws(ControlError) {
    do throws(LogSpecificationError) {
      try body()
    } catch {
      throw ControlError(error.text)
    }
  }
}
