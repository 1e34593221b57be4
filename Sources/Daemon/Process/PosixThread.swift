// SPDX-License-Identifier: Apache-2.0
//
// A thread for work that blocks: reading the signal pipe, waiting for a child, writing a file.

import CPosixShims
import Glibc

package enum PosixThread {
  private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Starts a detached thread.
  ///
  /// - Returns: nil, or the errno value of pthread_create(3).
  package static func start(name: String, _ body: @escaping @Sendable () -> Void) -> Int32? {
    let work = Unmanaged.passRetained(Work(body))
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, work.toOpaque())
    guard error == 0 else {
      work.release()
      return error
    }
    posix_shim_name_thread(thread, name)
    pthread_detach(thread)
    return nil
  }
}
