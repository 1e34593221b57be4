// SPDX-License-Identifier: Apache-2.0
//
// What must not stay behind when the program ends, in whatever orderly way: sockets and the pid file. `Program.exit` and
// `TerminationSignals` run it.

import Glibc
import Synchronization

package enum Cleanup {
  /// Which file had a path when it was registered.
  private struct Mark: Equatable {
    let device: dev_t
    let inode: ino_t

    init?(_ path: String) {
      var status = stat()
      guard lstat(path, &status) == 0 else { return nil }
      (device, inode) = (status.st_dev, status.st_ino)
    }
  }

  private struct State {
    var paths: Set<String> = []
    /// Sockets, which other processes may have replaced by their own.
    var sockets: [String: Mark] = [:]
    var actions: [@Sendable () -> Void] = []
    /// The process that registered; a child that came out of fork(2) must not remove its parent's files.
    var process = getpid()
  }

  private static let state = Mutex(State())

  /// The file will be removed at the end.
  ///
  /// - Parameter path: Absolute, because the working directory changes when the program detaches.
  package static func register(_ path: String) {
    state.withLock { state in
      own(&state)
      state.paths.insert(path)
    }
  }

  /// The socket's file will be removed at the end, if it still is that socket.
  package static func register(socket path: String) {
    state.withLock { state in
      own(&state)
      state.sockets[path] = Mark(path)
    }
  }

  /// The file is no longer ours to remove.
  package static func unregister(_ path: String) {
    state.withLock {
      $0.paths.remove(path)
      $0.sockets[path] = nil
    }
  }

  /// Removes a registered file now.
  package static func remove(_ path: String) {
    unregister(path)
    unlink(path)
  }

  /// Runs before the files are removed. Must not wait for the thread that calls `Program.exit`.
  package static func register(action: @escaping @Sendable () -> Void) {
    state.withLock { state in
      own(&state)
      state.actions.append(action)
    }
  }

  private static func own(_ state: inout State) {
    guard state.process != getpid() else { return }
    state = State(process: getpid())
  }

  /// Does everything once; a second call finds nothing to do.
  package static func run() {
    let work = state.withLock { state -> State? in
      guard state.process == getpid() else { return nil }
      defer { state = State(process: getpid()) }
      return state
    }
    guard let work else { return }
    for action in work.actions { action() }
    // What cannot be removed was removed by somebody else, or stays: this is the end either way.
    for path in work.paths { unlink(path) }
    for (path, mark) in work.sockets where Mark(path) == mark { unlink(path) }
  }
}
