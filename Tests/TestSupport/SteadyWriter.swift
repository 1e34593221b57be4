// SPDX-License-Identifier: Apache-2.0
//
// A client that writes all the time, whatever becomes of its server, and knows what was promised to it: which of its rows must be
// there, which must not, and which may.

import Foundation
import Synchronization

/// Writes rows `{"n":N,"s":TEXT,"set":[...],"c":[child]}` into table `T` of a database, in a thread of its own.
///
/// The schema is `SteadyWriter.schema`. Several writers take numbers of ranges of their own.
package final class SteadyWriter: Sendable {
  package static let schema: WireJSON = [
    "name": "D", "version": "1.0.0",
    "tables": [
      "T": [
        "columns": [
          "n": ["type": "integer"], "s": ["type": "string"],
          "set": ["type": ["key": "integer", "min": 0, "max": "unlimited"]],
          "c": ["type": ["key": ["type": "uuid", "refTable": "C"], "min": 0, "max": "unlimited"]],
        ], "isRoot": true, "indexes": [["n"]],
      ],
      "C": ["columns": ["name": ["type": "string"]]],
      "Local": ["columns": ["name": ["type": "string"]], "isRoot": true],
    ],
  ]

  /// What was promised.
  package struct Promises: Sendable {
    /// The `s` of rows that must be there.
    package var present: [Int: String] = [:]
    /// Numbers of rows that must not be there.
    package var absent: Set<Int> = []
    /// How many transactions succeeded.
    package var count = 0
    /// How many were refused with an error.
    package var refusals = 0

    /// What of a dump breaks a promise.
    package func broken(by lines: [String], range: Range<Int>) -> [String] {
      var found: [Int: String] = [:]
      var faults: [String] = []
      for line in lines where line.hasPrefix("T ") {
        let words = line.split(separator: " ")
        guard let n = words.first(where: { $0.hasPrefix("n=") }).flatMap({ Int($0.dropFirst(2)) }), range.contains(n) else { continue }
        if found[n] != nil { faults.append("two rows \(n)") }
        found[n] = words.first { $0.hasPrefix("s=") }.map { String($0.dropFirst(3).dropLast()) }
      }
      for (n, s) in present where found[n] != s { faults.append("row \(n) should have \(s) and has \(found[n] ?? "gone")") }
      for n in absent where found[n] != nil { faults.append("row \(n) was deleted and is there") }
      return faults
    }
  }

  package let range: Range<Int>
  private let socket: String
  private let state = Mutex(Promises())
  private let isStopped = Atomic<Bool>(false)
  private let done = DispatchSemaphore(value: 0)
  private let pauseMicroseconds: UInt32

  package init(socket: String, seed: UInt64, range: Range<Int>, pauseMicroseconds: UInt32 = 500) {
    self.socket = socket
    self.range = range
    self.pauseMicroseconds = pauseMicroseconds
    Thread.detachNewThread { [self] in
      work(SeededRandom(seed: seed))
      done.signal()
    }
  }

  package var promises: Promises { state.withLock { $0 } }

  /// Ends the writing.
  package func stop() -> Promises {
    isStopped.store(true, ordering: .releasing)
    done.wait()
    return promises
  }

  private func work(_ seeded: SeededRandom) {
    var random = seeded
    var session: WireSession?
    var next = range.lowerBound
    while !isStopped.load(ordering: .acquiring) {
      usleep(pauseMicroseconds)
      guard let current = session ?? (try? WireSession(socket: socket, secondsMax: 20)) else { continue }
      session = current
      let known = promises.present
      let isInsert = known.isEmpty || random.chance(60)
      let number = isInsert ? next : random.pick(known.keys.sorted())
      if isInsert {
        next += 1
        guard next < range.upperBound else { return }
      }
      // Until there is a reply nothing is promised about the row.
      state.withLock { $0.present[number] = nil }
      if !write(number, isInsert, over: current, &random) { session = nil }
    }
  }

  /// - Returns: false when the session is of no more use.
  private func write(_ number: Int, _ isInsert: Bool, over session: WireSession, _ random: inout SeededRandom) -> Bool {
    let text = "v\(random.below(1000))"
    let isDelete = !isInsert && random.chance(40)
    let wanted: WireJSON = [["n", "==", .integer(number)]]
    let operations: [WireJSON]
    if isInsert {
      let set = WireJSON.array((0..<random.below(4)).map { .integer($0 * 7 + number) })
      operations = [
        ["op": "insert", "table": "C", "uuid-name": "child", "row": ["name": .string("of \(number)")]],
        ["op": "insert", "table": "T", "row": ["n": .integer(number), "s": .string(text), "set": ["set", set], "c": ["named-uuid", "child"]]],
      ]
    } else if isDelete {
      operations = [["op": "delete", "table": "T", "where": wanted]]
    } else {
      operations = [
        ["op": "update", "table": "T", "where": wanted, "row": ["s": .string(text)]],
        ["op": "mutate", "table": "T", "where": wanted, "mutations": [["set", "insert", .integer(random.below(100))]]],
      ]
    }
    do {
      let reply = try session.exchange("transact", .array(["D"] + operations)).reply
      state.withLock { state in
        guard let results = reply["result"]?.elements, results.allSatisfy({ $0["error"] == nil }) else {
          // An error object says that nothing was done; a canceled transaction may have been.
          if reply["result"] != nil { state.refusals += 1 }
          return
        }
        state.count += 1
        if isDelete { state.absent.insert(number) } else { state.present[number] = text }
      }
      return true
    } catch {
      return false
    }
  }
}
