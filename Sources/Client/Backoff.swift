// SPDX-License-Identifier: Apache-2.0
//
// When to try again to connect, and what to say about it: 1, 2, 4, 8 seconds, and silence once the limit is reached.

internal import JSON

/// The schedule of attempts to reach one remote, or one of several that are tried in turn.
///
/// The words are those of the logging module `reconnect`; whoever uses it logs them.
///
/// Source: Documentation/protocol/server.md#remotes.
package struct Backoff: Sendable {
  /// The longest pause.
  package var limitMilliseconds: Int64 {
    didSet { limitMilliseconds = max(limitMilliseconds, Self.firstMilliseconds) }
  }
  /// Whether attempts are worth log lines at level info; later ones are not.
  package private(set) var isAnnounced = true
  private var nextMilliseconds: Int64 = 0

  package static let firstMilliseconds: Int64 = 1000
  package static let defaultLimitMilliseconds: Int64 = 8000

  package init(limitMilliseconds: Int64 = defaultLimitMilliseconds) {
    self.limitMilliseconds = max(limitMilliseconds, Self.firstMilliseconds)
  }

  /// What follows a failure.
  package struct Pause: Equatable, Sendable {
    package let milliseconds: Int64
    /// What to log behind the remote's name, if anything.
    package let announcement: String?
  }

  /// Counts a failed attempt or a lost connection.
  ///
  /// - Parameter isPassive: whether the attempt was to listen.
  package mutating func failed(isPassive: Bool = false) -> Pause {
    let pause = nextMilliseconds == 0 ? Self.firstMilliseconds : nextMilliseconds
    nextMilliseconds = min(pause.saturatingTimes(2), limitMilliseconds)
    guard isAnnounced else { return Pause(milliseconds: pause, announcement: nil) }
    if pause >= limitMilliseconds, pause > Self.firstMilliseconds {
      isAnnounced = false
      return Pause(
        milliseconds: pause,
        announcement: isPassive
          ? "continuing to listen in the background but suppressing further logging"
          : "continuing to reconnect in the background but suppressing further logging")
    }
    guard pause > Self.firstMilliseconds else { return Pause(milliseconds: pause, announcement: nil) }
    let seconds = pause / 1000
    return Pause(
      milliseconds: pause,
      announcement: isPassive
        ? "waiting \(seconds) seconds before trying to listen again"
        : "waiting \(seconds) seconds before reconnect")
  }

  /// Forgets failures: a connection stood, and did what connections are for.
  package mutating func succeeded() {
    nextMilliseconds = 0
    isAnnounced = true
  }
}
