// SPDX-License-Identifier: Apache-2.0
//
// What a server takes from outside besides what its event loop brings it: chance, the date, and files. A simulation hands in its own,
// and runs the same way every time.

import Daemon
import Engine
import Journal

/// Where a server's chance, date and files come from.
package struct Surroundings: Sendable {
  /// Every random number of the server follows from it.
  package var random = RandomSource()
  /// Milliseconds since 1970, UTC: the date of records. Called on any thread.
  package var wallMilliseconds: @Sendable () -> Int64 = { Clock.wallMilliseconds() }
  /// What databases are read from and written to.
  package var fileSystem = FileSystem.system

  package init() {}
}

extension Server {
  /// Random numbers of their own for a part of the server that may use them on another thread.
  func makeRandom() -> RandomSource { random.split() }

  /// The event loop's time, in milliseconds of a clock that never goes back.
  var nowMilliseconds: Int64 { Int64(eventLoop.now.uptimeNanoseconds / 1_000_000) }
}
