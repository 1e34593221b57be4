// SPDX-License-Identifier: Apache-2.0
//
// ovs-appctl: tells a running program something over its control socket and prints the answer. The program's arguments
// are here, the connection is `Control.ControlClient`.
//
// Exit status: 0 answered, 1 usage or connection, 2 the target answered with an error.
//
// Source: ovs-appctl(8).

import Control
import Daemon
import Glibc

private let unixctl = LogModule("unixctl")

/// What the command line asks for.
private struct Invocation {
  enum Format { case text, json }

  var target: String?
  var format = Format.text
  var isPretty = false
  var isOldSyntax = false
  var timeoutSeconds: UInt32?
  var command = ""
  var arguments: [String] = []
}

private func usage() -> String {
  """
  \(Program.name), for querying and controlling Open vSwitch daemons
  usage: \(Program.name) [TARGET] COMMAND [ARG...]
  Targets:
    -t, --target=TARGET  pidfile or socket to contact
  Common commands:
    list-commands      List commands supported by the target
    version            Print version of the target
    vlog/list          List current logging levels
    vlog/list-pattern  List logging patterns for each destination
    vlog/set [SPEC]
        Set log levels as detailed in SPEC, which may include:
        A valid module name (all modules, by default)
        'syslog', 'console', 'file' (all destinations, by default)
        'off', 'emer', 'err', 'warn', 'info', or 'dbg' ('dbg', by default)
    vlog/reopen        Make the program reopen its log file
  Other options:
    -T, --timeout=SECS wait at most SECS seconds for a response
    -f, --format=FMT   output format: 'text' (the default) or 'json'
    --pretty           with --format=json, indent the output
    -h, --help         print this helpful information
    -V, --version      display \(Program.name) version information

  """ + LogOptions.usage
}

private func parseArguments() -> Invocation {
  var invocation = Invocation()
  var isListing = false
  var options = [
    CommandLineOption("target", letter: "t") { (target) throws(UsageError) in
      guard invocation.target == nil else { throw UsageError("-t or --target may be specified only once") }
      invocation.target = target
    },
    CommandLineOption("execute", letter: "e") { () throws(UsageError) in
      // Of an older syntax, where the command was this option's business.
      guard !invocation.isOldSyntax else { throw UsageError("-e or --execute may be specified only once") }
      invocation.isOldSyntax = true
    },
    CommandLineOption("help", letter: "h") { () throws(UsageError) in
      Program.writeOutput(usage())
      Program.exit(EXIT_SUCCESS)
    },
    CommandLineOption("option", letter: "o") { () throws(UsageError) in isListing = true },
    CommandLineOption("version", letter: "V") { () throws(UsageError) in
      Program.writeOutput(Program.versionText)
      Program.exit(EXIT_SUCCESS)
    },
    CommandLineOption("timeout", letter: "T") { (text) throws(UsageError) in
      guard let seconds = TimeLimit.parse(text) else {
        throw UsageError("value \(text) on -T or --timeout is invalid")
      }
      invocation.timeoutSeconds = seconds
    },
    CommandLineOption("format", letter: "f") { (text) throws(UsageError) in
      switch text {
      case "text": invocation.format = .text
      case "json": invocation.format = .json
      default: throw UsageError("value \(text) on -f or --format is invalid")
      }
    },
    CommandLineOption("pretty") { () throws(UsageError) in invocation.isPretty = true },
  ]
  options += LogOptions.options
  let parser = OptionParser(options: options, ordering: .optionsFirst)
  let rest = parser.parseOrExit()
  if isListing {
    Program.writeOutput(parser.listing)
    Program.exit(EXIT_SUCCESS)
  }
  guard let command = rest.first else {
    Program.fail("at least one non-option argument is required (use --help for help)")
  }
  if invocation.isPretty, invocation.format != .json {
    Program.fail("--pretty is supported with --format json only")
  }
  invocation.command = command
  invocation.arguments = Array(rest.dropFirst())
  return invocation
}

/// The socket of a target: a path, or the name of a program whose pid file tells the rest.
private func socketPath(of target: String) -> String {
  if target.hasPrefix("/") { return target }
  let pidFile = Paths.absolute("\(target).pid", in: Paths.runDirectory)
  switch PIDFile.owner(pidFile) {
  case .process(let process):
    return Paths.absolute("\(target).\(process).ctl", in: Paths.runDirectory)
  case .none(let error):
    if error == ENOENT { LogModule("daemon_unix").warn("\(pidFile): open: \(SystemError.text(error))") }
    Program.fail("cannot read pidfile \"\(pidFile)\" (\(SystemError.text(error)))")
  case .hidden(let written):
    Program.fail("cannot read pidfile \"\(pidFile)\" (it is locked by a process that cannot be named from here; it says pid \(written))")
  case .unknown(let error, let text):
    LogModule("daemon_unix").warn(text)
    Program.fail("cannot read pidfile \"\(pidFile)\" (\(SystemError.text(error)))")
  }
}

/// Connects to a program's control socket, or ends with the reason.
private func connect(to path: String) -> ControlClient {
  do throws(ControlClientError) {
    return try ControlClient(connectingTo: path)
  } catch {
    unixctl.warn("failed to connect to \(path)")
    Program.fail("cannot connect to \"\(path)\" (\(error))")
  }
}

private func failAsTarget(_ target: String, _ text: String) -> Never {
  Program.writeError(text.hasSuffix("\n") || text.isEmpty ? text : text + "\n")
  Program.fail("\(target): server returned an error", status: 2)
}

/// Carries out one command; ends the program when the connection fails.
private func call(
  _ client: inout ControlClient, _ target: String, _ path: String, _ command: String, _ arguments: [String]
) -> ControlAnswer {
  do throws(ControlClientError) {
    return try client.call(command, arguments)
  } catch {
    unixctl.warn("error communicating with unix:\(path): \(error)")
    Program.fail("\(target): transaction error (\(error))")
  }
}

/// Asks for results as JSON. A daemon that does not know of it is told of: its texts are then wrapped here, as it would.
private func hasJSONOutput(_ client: inout ControlClient, _ target: String, _ path: String) -> Bool {
  guard case .error(let text) = call(&client, target, path, "set-options", ["--format", "json"]) else { return true }
  guard text.contains("is not a valid command") else { failAsTarget(target, text) }
  Program.writeError(
    "\(Program.name): \(target): the target has no JSON output (Open vSwitch 3.4 and later have); showing its text as JSON\n")
  return false
}

private func run(_ invocation: Invocation) -> Never {
  let target = invocation.target ?? "ovs-vswitchd"
  do throws(UsageError) {
    try TerminationSignals.watch()
  } catch {
    error.exit()
  }
  TimeLimit.start(seconds: invocation.timeoutSeconds)
  let path = socketPath(of: target)
  var client = connect(to: path)
  let isWrapping = invocation.format == .json && !hasJSONOutput(&client, target, path)
  var answer = call(&client, target, path, invocation.command, invocation.arguments)
  if isWrapping, case .text(let text) = answer { answer = .wrapping(text) }
  switch (answer, invocation.format) {
  case (.error(let text), _):
    failAsTarget(target, text)
  case (.text(let text), .text):
    Program.writeOutput(text.isEmpty || text.hasSuffix("\n") ? text : text + "\n")
  case (.value(let compact, let pretty, _), .json):
    let text = invocation.isPretty ? pretty : compact
    Program.writeOutput(text.hasSuffix("\n") ? text : text + "\n")
  case (.value(_, _, let isObject), .text):
    failAsTarget(target, "Unexpected reply type in JSON rpc reply: \(isObject ? "object" : "array or scalar")")
  case (.text, .json):
    failAsTarget(target, "Unexpected reply type in JSON rpc reply: string")
  }
  Program.exit(EXIT_SUCCESS)
}

Program.begin()
run(parseArguments())
