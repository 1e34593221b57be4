// SPDX-License-Identifier: Apache-2.0
//
// What the service manager is told of a running server: what it serves, that its loop turns, that it is about to end. Daemon's
// `ReadinessNotice` sends it; without a manager nothing is sent.

import Daemon
import NIOCore

/// Notices of one server, on its loop.
final class ServiceNotices {
  private unowned let server: Server
  private var lastStatus = ""

  private static let statusInterval = TimeAmount.milliseconds(2500)

  private init(_ server: Server) {
    self.server = server
  }

  /// Begins to tell; the server lives as long as the process.
  static func start(_ server: Server, _ watchdog: Watchdog?) {
    guard Paths.environment("NOTIFY_SOCKET") != nil else { return }
    ServiceNotices(server).keepStatus()
    if let watchdog { feed(.microseconds(watchdog.intervalMicroseconds), server) }
    Cleanup.register { ReadinessNotice.stopping() }
  }

  private func keepStatus() {
    let databases = server.databases.keys.filter { !$0.hasPrefix("_") }.count
    let remotes = server.remotes.remotes.count
    let status =
      "Serving \(databases) database\(databases == 1 ? "" : "s") at \(remotes) remote\(remotes == 1 ? "" : "s")"
    if status != lastStatus { ReadinessNotice.status(status) }
    lastStatus = status
    server.after(Self.statusInterval) { [self] in keepStatus() }
  }

  /// On the loop, so that a loop that is stuck is silent.
  private static func feed(_ interval: TimeAmount, _ server: Server) {
    Watchdog.feed()
    server.after(interval) { [unowned server] in feed(interval, server) }
  }
}
