// SPDX-License-Identifier: Apache-2.0
//
// The time a command-line program may take: `-T`, `--timeout=SECS`, else the environment variable `OVS_CTL_TIMEOUT`. When
// it is over the program dies of SIGALRM, as `TerminationSignals` has it; to be started after `TerminationSignals.watch`.

import Glibc

package enum TimeLimit {
  /// The seconds of an option; nil when the text is no positive number.
  package static func parse(_ text: String) -> UInt32? {
    guard let seconds = Int32(text), seconds > 0 else { return nil }
    return UInt32(seconds)
  }

  /// - Parameter seconds: of the option; nil: what the environment says, and no limit if that says nothing sensible.
  package static func start(seconds: UInt32?) {
    guard let seconds = seconds ?? Paths.environment("OVS_CTL_TIMEOUT").flatMap(parse) else { return }
    alarm(seconds)
  }
}
