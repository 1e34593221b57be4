// SPDX-License-Identifier: Apache-2.0
//
// Inactivity probes: a peer from which nothing comes is asked for an echo; if nothing comes still it is taken for dead.

internal import NIOCore

extension RPCConnection {
  struct Probe {
    /// Zero: never.
    var interval = TimeAmount.zero
    /// By the event loop's clock.
    var lastLife = NIODeadline.uptimeNanoseconds(0)
    var isAsked = false
    /// Our output when it was last looked at: what the kernel had taken, and what it had not.
    var sentCount: UInt64 = 0
    var unsentCount: UInt64 = 0
    var timer: Scheduled<Void>?
    /// When the timer should fire.
    var due = NIODeadline.uptimeNanoseconds(0)
  }

  /// A timer that fires later than this found the loop busy. What the peer said meanwhile lies in the socket; it is looked at before
  /// the peer is judged.
  private static let latenessMax = TimeAmount.milliseconds(5)

  /// How long the peer may be silent before it is asked, and again before it is dropped; 0 for ever. Can be set at any time.
  /// A value between is raised to a second.
  package var probeIntervalMilliseconds: Int64 {
    get { probe.interval.nanoseconds / 1_000_000 }
    set {
      // An interval so long that it would overflow the clock is as good as a century.
      let interval = TimeAmount.milliseconds(newValue <= 0 ? 0 : min(max(newValue, 1000), 3_000_000_000_000))
      guard interval != probe.interval else { return }
      probe.interval = interval
      probe.isAsked = false
      scheduleProbe()
    }
  }

  /// Whether the peer was silent for so long that it was asked, and has not answered yet.
  package var isAwaitingProbe: Bool { probe.isAsked }

  /// Any byte counts.
  func noteLife() {
    guard probe.interval > .zero, let eventLoop = closing.eventLoop else { return }
    probe.lastLife = eventLoop.now
    probe.isAsked = false
  }

  /// The connection is part of a channel: from now on silence counts.
  func beginProbing(now: NIODeadline) {
    probe.lastLife = now
    scheduleProbe()
  }

  func scheduleProbe() { scheduleProbe(at: probe.lastLife + probe.interval) }

  private func scheduleProbe(at due: NIODeadline) {
    cancelProbe()
    guard probe.interval > .zero, !isClosed, let context else { return }
    probe.due = due
    probe.timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: due) { [weak self] in self?.probeTimerFired() }
  }

  func cancelProbe() {
    probe.timer?.cancel()
    probe.timer = nil
  }

  private func probeTimerFired() {
    probe.timer = nil
    guard !isClosed, let now = closing.eventLoop?.now else { return }
    if probe.lastLife + probe.interval <= now {
      if now - probe.due > Self.latenessMax { return scheduleProbe(at: now + 2 * Self.latenessMax) }
      if holdsUnprocessedInput || takesOutput() {
        // The silence is ours, or the peer is busy with what we sent.
        probe.lastLife = now
        probe.isAsked = false
      } else if probe.isAsked {
        finish(.probeTimeout)
        return
      } else {
        probe.isAsked = true
        probe.lastLife = now
        output.append("{\"id\":\"echo\",\"method\":\"echo\",\"params\":[]}")
        flush()
      }
    }
    scheduleProbe()
  }

  /// Whether the peer took some of a backlog since this was last asked. Output without a backlog proves nothing: the kernel
  /// takes a good deal for a peer that is gone.
  private func takesOutput() -> Bool {
    let unsent = min(unsentCount, handedCount)
    let sent = handedCount - unsent
    defer { (probe.sentCount, probe.unsentCount) = (sent, unsent) }
    return probe.unsentCount > 0 && sent > probe.sentCount
  }
}
