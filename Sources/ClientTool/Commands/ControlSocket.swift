// SPDX-License-Identifier: Apache-2.0
//
// The control socket of an ovsdb-client in the background: `<rundir>/ovsdb-client.PID.ctl`.

import Control
import Daemon
import Glibc
import Synchronization

/// Adds what every program's control socket has, and listens.
func openControlServer(_ commands: ControlCommands, _ target: Target) throws -> ControlServer? {
  let loop = target.invocation.loop
  commands.addStandard { request in
    Cleanup.run()
    request.reply()
    // The answer leaves with this turn of the loop, and the process with the next.
    loop.execute { loop.execute { Program.exit(EXIT_SUCCESS) } }
  }
  do {
    return try ControlServer.open(nil, on: loop, commands: commands)
  } catch {
    throw ToolFailure(error.message ?? "could not initialize control socket")
  }
}

/// A flag that control commands flip.
final class BlockingFlag: Sendable {
  private let isBlocked = Mutex(false)

  /// - Returns: false when it had the value already.
  func change(to value: Bool) -> Bool {
    isBlocked.withLock { isBlocked in
      defer { isBlocked = value }
      return isBlocked != value
    }
  }
}
