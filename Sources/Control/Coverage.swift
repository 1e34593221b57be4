// SPDX-License-Identifier: Apache-2.0
//
// Counters of events by name, and how often they happened lately: `coverage/show`.
//
// Counting is one relaxed addition. Every five seconds `endSlot` notes what came since; the averages are over whole
// slots, so a fresh event shows in its total at once and in the rates a little later.

import Daemon
import Synchronization

package final class CoverageCounter: Sendable {
  package let name: String
  private let count = Atomic<Int>(0)

  fileprivate init(name: String) { self.name = name }

  package func increment(by amount: Int = 1) { count.wrappingAdd(amount, ordering: .relaxed) }

  package var total: Int { count.load(ordering: .relaxed) }
}

package enum Coverage {
  package static let slotSeconds = 5
  private static let slotsPerMinute = 60 / slotSeconds

  private struct History {
    let counter: CoverageCounter
    var totalAtSlotEnd = 0
    /// Events in each of the last slots and minutes, in rings. The current minute is the one being filled.
    var slots = [Int](repeating: 0, count: slotsPerMinute)
    var minutes = [Int](repeating: 0, count: 60)
  }

  private struct State {
    var histories: [History] = []
    /// Slots that have ended.
    var slotCount = 0
  }

  private static let state = Mutex(State())

  static let received = counter("unixctl_received")
  static let replied = counter("unixctl_replied")

  /// The counter of that name; made on first use. To be kept by whoever counts: this looks for it.
  package static func counter(_ name: String) -> CoverageCounter {
    state.withLock { state in
      if let history = state.histories.first(where: { $0.counter.name == name }) { return history.counter }
      let counter = CoverageCounter(name: name)
      state.histories.append(History(counter: counter))
      return counter
    }
  }

  package static func existing(_ name: String) -> CoverageCounter? {
    state.withLock { $0.histories.first { $0.counter.name == name }?.counter }
  }

  /// To be called every `slotSeconds`; `ControlServer` does.
  package static func endSlot() {
    state.withLock { state in
      let slot = state.slotCount % slotsPerMinute
      let minute = state.slotCount / slotsPerMinute % 60
      for index in state.histories.indices {
        let total = state.histories[index].counter.total
        let events = total &- state.histories[index].totalAtSlotEnd
        state.histories[index].totalAtSlotEnd = total
        state.histories[index].slots[slot] = events
        if slot == 0 { state.histories[index].minutes[minute] = 0 }
        state.histories[index].minutes[minute] &+= events
      }
      state.slotCount += 1
    }
  }

  /// What `coverage/show` answers.
  ///
  /// Shape: a head, `NAME  A/sec  B/sec  C/sec   total: N` per counter that was ever hit, `N events never hit`. The hash in
  /// the head is the same for the same set of counters that were hit.
  package static var table: String {
    state.withLock { state in
      let hit = state.histories.filter { $0.counter.total > 0 }
      let lastSlot = (state.slotCount + slotsPerMinute - 1) % slotsPerMinute
      var table = "Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=\(hash(of: hit)):\n"
      for history in hit {
        let rates = [
          fixed(Double(history.slots[lastSlot]) / Double(slotSeconds), decimals: 1, width: 5),
          fixed(Double(history.slots.reduce(0, &+)) / 60, decimals: 3, width: 9),
          fixed(Double(history.minutes.reduce(0, &+)) / 3600, decimals: 4, width: 13),
        ]
        table += "\(history.counter.name.padded(to: 24)) " + rates.map { $0 + "/sec" }.joined(separator: " ")
        table += "   total: \(history.counter.total)\n"
      }
      return table + "\(state.histories.count - hit.count) events never hit\n"
    }
  }

  /// FNV-1a over the names, in eight hexadecimal digits.
  private static func hash(of histories: [History]) -> String {
    var hash: UInt32 = 0x811c_9dc5
    for history in histories {
      for byte in history.counter.name.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
      hash = hash &* 0x0100_0193
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }
}

/// A number of at most a few decimals, rounded half up, as printf's `%W.Df` shows it.
func fixed(_ value: Double, decimals: Int, width: Int) -> String {
  var scale = 1
  for _ in 0..<decimals { scale *= 10 }
  // Rates are far from where this would overflow; if one were not, a wrong number is better than a trap.
  let scaled = Int(exactly: (value * Double(scale)).rounded()) ?? 0
  let fraction = String(abs(scaled % scale))
  let zeros = String(repeating: "0", count: max(0, decimals - fraction.count))
  return "\(scaled / scale).\(zeros)\(fraction)".leftPadded(to: width)
}
