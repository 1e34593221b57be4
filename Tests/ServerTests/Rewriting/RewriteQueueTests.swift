// SPDX-License-Identifier: Apache-2.0
//
// Who may replace a database's file, and when the others are woken.

import Testing

@testable import Server

@Suite struct RewriteQueueTests {
  @Test func theRightIsTakenAndGivenUp() {
    var queue = RewriteQueue()
    #expect(!queue.isHeld)
    queue.take()
    #expect(queue.isHeld)
    #expect(queue.release().isEmpty)
    #expect(!queue.isHeld)
  }

  @Test func waitersAreWokenInTheOrderInWhichTheyCame() {
    var queue = RewriteQueue()
    var woken: [Int] = []
    queue.take()
    for number in 0..<3 { queue.wait { woken.append(number) } }
    for retry in queue.release() { retry() }
    #expect(woken == [0, 1, 2])
    queue.take()
    #expect(queue.release().isEmpty)
  }

  /// One that gives up when it is woken must not leave the others asleep.
  @Test func aWaiterThatGivesUpLeavesTheRightToTheNext() {
    var queue = RewriteQueue()
    var holders: [String] = []
    queue.take()
    func contend(_ name: String, isWanted: Bool) {
      guard isWanted else { return }
      guard !queue.isHeld else { return queue.wait { contend(name, isWanted: true) } }
      queue.take()
      holders.append(name)
    }
    queue.wait { contend("gave up", isWanted: false) }
    queue.wait { contend("second", isWanted: true) }
    queue.wait { contend("third", isWanted: true) }
    for retry in queue.release() { retry() }
    #expect(holders == ["second"])
    for retry in queue.release() { retry() }
    #expect(holders == ["second", "third"])
  }
}
