// SPDX-License-Identifier: Apache-2.0
//
// A program that does nothing but be a daemon: what the tests of Daemon and Control run as a process of its own.
// `--run=COMMAND` as in ovsdb-server; `--fail=TEXT` fails between `Daemonizer.start` and `complete`; `--die=SIGNAL` is
// killed there.

import Control
import Daemon
import Glibc
import NIOCore
import NIOPosix

private let log = LogModule("ovsdb_server")
private let daemonOptions = DaemonOptions()
nonisolated(unsafe) private var controlSocket: String?
nonisolated(unsafe) private var failure: String?
nonisolated(unsafe) private var deadlySignal: Int32?
nonisolated(unsafe) private var command: String?

Program.begin()
private let options =
  daemonOptions.options + LogOptions.options + [
    CommandLineOption("unixctl") { (path) throws(UsageError) in controlSocket = path },
    CommandLineOption("fail") { (text) throws(UsageError) in failure = text },
    CommandLineOption("die") { (text) throws(UsageError) in deadlySignal = Int32(text) },
    CommandLineOption("run") { (text) throws(UsageError) in command = text },
    CommandLineOption("version", letter: "V") { () throws(UsageError) in
      Program.writeOutput(Program.versionText)
      Program.exit(EXIT_SUCCESS)
    },
  ]

do throws(UsageError) {
  for argument in try OptionParser(options: options).parse() { Program.writeOutput("argument \(argument)\n") }
  let daemonizer = Daemonizer(options: daemonOptions)
  try daemonizer.start()
  if let failure { throw UsageError(failure) }
  if let deadlySignal { kill(getpid(), deadlySignal) }

  let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  let loop = group.next()
  let done = loop.makePromise(of: Int32.self)
  let commands = ControlCommands()
  commands.addStandard(memoryUsage: { ["sessions": 2, "atoms": 7] }) { request in
    request.reply()
    done.succeed(0)
  }
  commands.add("later", usage: "TEXT", arguments: 1...1) { (request: ControlRequest) in
    loop.scheduleTask(in: .milliseconds(50)) { request.reply(request.arguments[0]) }
  }
  commands.add("never") { (request: ControlRequest) in _ = request }
  commands.add("flood", usage: "N", arguments: 1...1) { (arguments) throws(ControlError) in
    let limit = LogRateLimit(perMinute: 1, burst: 2)
    guard let count = arguments.first.flatMap(Int.init) else { throw ControlError("not a number") }
    for number in 0..<count { log.warn(limit, "message \(number)") }
    return ""
  }
  let server = try ControlServer.open(controlSocket, on: loop, commands: commands)
  if let command {
    _ = try ChildProcess.run(command) { failure in
      if let failure { Program.fail(failure) }
      done.succeed(0)
    }
  } else {
    log.info(Program.versionLine)
  }
  daemonizer.complete()
  let status: Int32
  do { status = try done.futureResult.wait() } catch { Program.fail("\(error)") }
  ReadinessNotice.stopping()
  server?.close()
  // Sessions are closed on their loop; what they have to say leaves before the loop ends.
  do { try loop.submit {}.wait() } catch { Program.fail("\(error)") }
  Program.exit(status)
} catch {
  error.exit()
}
