// SPDX-License-Identifier: Apache-2.0
//
// Lanes: work in order, on no more threads than allowed, and done to the end.

import Daemon
import Foundation
import Synchronization
import Testing

struct LaneTests {
  @Test func aLaneOfOneThreadDoesItsWorkInOrder() {
    let lane = Lane(name: "one", threadsMax: 1)
    let done = Mutex<[Int]>([])
    let isDone = DispatchSemaphore(value: 0)
    for number in 0..<1000 {
      #expect(lane.submit { done.withLock { $0.append(number) } } == nil)
    }
    #expect(lane.submit { isDone.signal() } == nil)
    isDone.wait()
    #expect(done.withLock { $0 } == Array(0..<1000))
    lane.end()
  }

  /// Each piece of work waits for the other: neither would end alone.
  @Test func aLaneOfTwoThreadsDoesTwoThingsAtTheSameTime() {
    let lane = Lane(name: "two", threadsMax: 2)
    let (first, second, both) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    #expect(lane.submit { first.signal(); second.wait(); both.signal() } == nil)
    #expect(lane.submit { second.signal(); first.wait(); both.signal() } == nil)
    both.wait()
    both.wait()
    lane.end()
  }

  @Test func aLaneNeverHasMoreThreadsThanAllowed() {
    let lane = Lane(name: "three", threadsMax: 3)
    let threads = Mutex((busy: 0, most: 0))
    let isDone = DispatchSemaphore(value: 0)
    for _ in 0..<300 {
      let error = lane.submit {
        threads.withLock { $0 = ($0.busy + 1, max($0.most, $0.busy + 1)) }
        sched_yield()
        threads.withLock { $0.busy -= 1 }
        isDone.signal()
      }
      #expect(error == nil)
    }
    for _ in 0..<300 { isDone.wait() }
    #expect((1...3).contains(threads.withLock { $0.most }))
    lane.end()
  }

  @Test func workThatIsSubmittedBeforeOrAfterTheEndIsDone() {
    let lane = Lane(name: "end", threadsMax: 1)
    let (before, after) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    #expect(lane.submit { before.signal() } == nil)
    lane.end()
    before.wait()
    #expect(lane.submit { after.signal() } == nil)
    after.wait()
  }
}
