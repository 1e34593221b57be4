// SPDX-License-Identifier: Apache-2.0
//
// `lock`, `steal`, `unlock`: print the answer, then what happens to the lock, for as long as the connection stands: a lock
// belongs to its connection.

import Client
import Control
import Daemon
import JSON

func lock(_ target: Target, method: String) async throws {
  let session = try target.connected
  let style = target.options.table
  let control = try openLockControl(session, target)
  defer { control?.close() }
  try await changeLock(session, method, target.arguments[0], style)
  target.invocation.daemonizer?.complete()
  for await notification in session.notifications {
    guard notification.method == "locked" || notification.method == "stolen" else { continue }
    Output.write("\(notification.method)\n\(outputText(notification.params, style))")
  }
  throw ToolFailure("\(target.server): receive failed (\(await session.closed()))")
}

/// Asks and prints the answer. A refusal prints nothing: the user waits for a lock that may yet come.
private func changeLock(_ session: ClientSession, _ method: String, _ name: String, _ style: TableStyle) async throws {
  do {
    guard case .result(let result) = try await session.call(method, params(name)) else { return }
    Output.write(outputText(result, style))
  } catch {
    throw ToolFailure("\(session.name): receive failed (\(error))")
  }
}

/// In the background other locks can be asked for on the same connection.
private func openLockControl(_ session: ClientSession, _ target: Target) throws -> ControlServer? {
  guard target.options.detaches else { return nil }
  let commands = ControlCommands()
  let style = target.options.table
  for method in ["lock", "steal", "unlock"] {
    commands.add(method, usage: "LOCK", arguments: 1...1) { (request: ControlRequest) in
      Task {
        do {
          try await changeLock(session, method, request.arguments[0], style)
          request.reply()
        } catch {
          request.fail((error as? ToolFailure)?.message ?? "\(error)")
        }
      }
    }
  }
  return try openControlServer(commands, target)
}
