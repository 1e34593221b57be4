// SPDX-License-Identifier: Apache-2.0
//
// The control socket: listens, and owns the sessions. Everything happens on one event loop, that of the program's choice.

import Daemon
import Glibc
internal import JSONRPC
package import NIOCore
internal import Streams
import Synchronization

package final class ControlServer: Sendable {
  /// Where the socket is; the target for `ovs-appctl -t`.
  package let path: String
  private let listener: Listener
  private let loop: any EventLoop
  private let sessions: NIOLoopBoundBox<[ObjectIdentifier: ControlSession]>
  private let counting: Mutex<RepeatedTask?> = Mutex(nil)

  /// A longer command is a mistake of whoever sends it. It is also what half a message can make us hold.
  private static let messageBytesMax = 1 << 20

  /// Opens the socket. After `Daemonizer.start`: the default path holds the id of the process that serves.
  ///
  /// - Parameters:
  ///   - socket: the value of `--unixctl`: a path, relative to the run directory; `none`; nil for
  ///     `RUNDIR/PROGRAM.PID.ctl`.
  ///   - loop: commands run there.
  /// - Returns: nil for `none`.
  package static func open(
    _ socket: String?, on loop: any EventLoop, commands: ControlCommands
  ) throws(UsageError) -> ControlServer? {
    if socket == "none" { return nil }
    let path = Paths.absolute(socket ?? "\(Program.name).\(getpid()).ctl", in: Paths.runDirectory)
    let sessions = NIOLoopBoundBox<[ObjectIdentifier: ControlSession]>.makeBoxSendingValue([:], eventLoop: loop)
    let turns = NIOLoopBoundBox<CommandTurns>.makeBoxSendingValue(CommandTurns(loop: loop), eventLoop: loop)
    let listener: Listener
    // Before it is there: a signal may come as soon as somebody sees the socket.
    Cleanup.register(path)
    do {
      let method = try ConnectionMethod.parse("punix:\(path)", origin: .commandLine)
      listener = try Listener.open(method, group: loop, rundir: Paths.runDirectory) { accepted in
        let session = try serve(accepted.channel, name: accepted.name, commands: commands, turns: turns.value) {
          sessions.value[ObjectIdentifier($0)] = nil
        }
        sessions.value[ObjectIdentifier(session)] = session
      }
    } catch {
      Cleanup.unregister(path)
      throw UsageError("\(path): could not initialize control socket (\(error))")
    }
    return ControlServer(path: path, listener: listener, loop: loop, sessions: sessions)
  }

  /// Begins to serve one connection on its channel's loop. The caller keeps the session until it has closed.
  static func serve(
    _ channel: any Channel, name: String, commands: ControlCommands, turns: CommandTurns, didClose: @escaping (ControlSession) -> Void
  ) throws -> ControlSession {
    let connection = RPCConnection(name: name, messageBytesMax: messageBytesMax)
    connection.answersEcho = false
    // A client that comes, asks and goes is no news.
    connection.logsClosing = false
    let session = ControlSession(
      connection: connection, commands: commands, loop: channel.eventLoop, turns: turns, didClose: didClose)
    connection.owner = session
    try channel.pipeline.syncOperations.addHandler(connection)
    return session
  }

  /// Serves one connection of a channel that somebody else made, for as long as the result is kept.
  package static func serve(_ channel: any Channel, commands: ControlCommands) throws -> AnyObject {
    try serve(channel, name: "control", commands: commands, turns: CommandTurns(loop: channel.eventLoop)) { _ in }
  }

  private init(
    path: String, listener: Listener, loop: any EventLoop,
    sessions: NIOLoopBoundBox<[ObjectIdentifier: ControlSession]>
  ) {
    self.path = path
    self.listener = listener
    self.loop = loop
    self.sessions = sessions
    let interval = TimeAmount.seconds(Int64(Coverage.slotSeconds))
    let task = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in Coverage.endSlot() }
    counting.withLock { $0 = task }
  }

  /// Removes the socket and closes the sessions when what they have to say is sent.
  package func close() {
    listener.close()
    Cleanup.unregister(path)
    counting.withLock { $0?.cancel() }
    let sessions = sessions
    if loop.inEventLoop {
      for session in sessions.value.values { session.close() }
    } else {
      loop.execute { for session in sessions.value.values { session.close() } }
    }
  }
}
