// SPDX-License-Identifier: Apache-2.0
//
// What goes wrong between a server and the one that follows it, at moments that a seed replays.

import Glibc

extension LinkProxy {
  /// Cuts, holds or delays the link, or kills the server at one of its ends and starts it again.
  package func disturb(_ source: DatabaseServer, _ follower: DatabaseServer, _ random: inout SeededRandom) throws {
    switch random.below(5) {
    case 0: cut()
    case 1:
      try source.kill()
      try source.start()
    case 2:
      try follower.kill()
      try follower.start()
    case 3:
      mode = .holding
      usleep(UInt32(random.below(200_000)))
      cut()
      mode = .passing
    default: mode = .delaying(random.below(5))
    }
  }
}
