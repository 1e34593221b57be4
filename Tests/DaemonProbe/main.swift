// SPDX-License-Identifier: Apache-2.0
//
// A program that does nothing but be a daemon: what the tests of Daemon and Control run as a process of its own.
// `--run=COMMAND` as in ovsdb-server; `--fail=TEXT` fails between `Daemonizer.start` and `complete`; `--die=SIGNAL` is
// killed there; `--contend` has the thread that started it and another one fight for a lock once the parent is gone, and then
// makes the file `contended`.

import Control
import Daemon
import Glibc
import NIOCore
import NIOPosix
import Synchronization

private let log = LogModule("ovsdb_server")
nonisolated(unsafe) private let daemonOptions = DaemonOptions()
nonisolated(unsafe) private var controlSocket: String?
nonisolated(unsafe) private var failure: String?
nonisolated(unsafe) private var deadlySignal: Int32?
nonisolated(unsafe) private var command: String?
nonisolated(unsafe) private var contends = false

private let contended = Mutex(0)

/// Holds a lock for so long that another thread that wants it goes to the kernel for it, again and again.
private func contend() {
  for _ in 0..<20 {
    contended.withLock {
      $0 += 1
      usleep(1000)
    }
  }
}

/// A lock that two threads want at the same time, one of them the program's first: the kernel arbitrates, and has to know both.
private func contendOnceAlone(_ parent: pid_t) {
  while !daemonOptions.isMonitored, getppid() == parent { usleep(1000) }
  var other = pthread_t()
  let error = pthread_create(
    &other, nil,
    { _ in
      contend()
      return nil
    }, nil)
  guard error == 0 else { Program.fail("no thread") }
  contend()
  pthread_join(other, nil)
  guard contended.withLock({ $0 }) == 40 else { Program.fail("lost locks") }
  close(creat("\(Paths.runDirectory)/contended", 0o600))
}

Program.begin()
private let options =
  daemonOptions.options + LogOptions.options + [
    CommandLineOption("unixctl") { (path) throws(UsageError) in controlSocket = path },
    CommandLineOption("fail") { (text) throws(UsageError) in failure = text },
    CommandLineOption("die") { (text) throws(UsageError) in deadlySignal = Int32(text) },
    CommandLineOption("contend") { () throws(UsageError) in contends = true },
    CommandLineOption("run") { (text) throws(UsageError) in command = text },
    CommandLineOption("version", letter: "V") { () throws(UsageError) in
      Program.writeOutput(Program.versionText)
      Program.exit(EXIT_SUCCESS)
    },
  ]

do throws(UsageError) {
  for argument in try OptionParser(options: options).parse() { Program.writeOutput("argument \(argument)\n") }
} catch {
  error.exit()
}
/// Serves until told to stop.
private func serve(_ daemonizer: Daemonizer) throws(UsageError) -> Never {
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
  let parent = getppid()
  daemonizer.complete()
  if contends { contendOnceAlone(parent) }
  let status: Int32
  do { status = try done.futureResult.wait() } catch { Program.fail("\(error)") }
  ReadinessNotice.stopping()
  server?.close()
  // Sessions are closed on their loop; what they have to say leaves before the loop ends.
  do { try loop.submit {}.wait() } catch { Program.fail("\(error)") }
  Program.exit(status)
}

// What a thread id is remembered by has to have been used before the fork.
contended.withLock { $0 = 0 }
private let daemonizer = Daemonizer(options: daemonOptions)
daemonizer.start {
  do throws(UsageError) {
    try serve(daemonizer)
  } catch {
    error.exit()
  }
}
