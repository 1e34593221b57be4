// SPDX-License-Identifier: Apache-2.0
//
// The one thread of the load generator: waits for sockets and hands them to their connections.

import CBenchmarkingShims
import Glibc
import Synchronization

/// Set by the signal handler that `Interruption.install` sets up.
package enum Interruption {
  private static let isRequested = Atomic<Bool>(false)

  /// Makes SIGINT and SIGTERM end the running benchmark with `.interrupted`, so that servers are stopped.
  package static func install() {
    isRequested.store(false, ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in Interruption.isRequested.store(true, ordering: .relaxed) }
    }
  }

  static func check() throws(BenchmarkFailure) {
    if isRequested.load(ordering: .relaxed) { throw .interrupted }
  }
}

package final class Loop {
  /// The connections by index.
  package private(set) var connections: [Connection] = []
  /// A light client whose latency is watched beside the load, see `Probe`.
  package var probe: Probe?
  /// Seconds without any event after which the server counts as hung.
  package var patienceSeconds = 60.0
  /// How long to wait for events before `isDone` is asked again.
  package var waitMilliseconds: Int32 = 100

  private let path: String
  private let poll: Int32
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
  private var events = [epoll_event](repeating: epoll_event(), count: 512)

  package init(path: String) throws(BenchmarkFailure) {
    self.path = path
    poll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard poll >= 0 else {
      buffer.deallocate()
      throw .current("epoll_create1")
    }
  }

  deinit {
    close(poll)
    buffer.deallocate()
  }

  /// Connects one more client. `other` names another socket than the server's own, such as its control socket.
  package func connect(to other: String? = nil) throws(BenchmarkFailure) -> Connection {
    try add(Connection(path: other ?? path, index: connections.count))
  }

  private func add(_ connection: Connection) throws(BenchmarkFailure) -> Connection {
    try control(EPOLL_CTL_ADD, connection, EPOLLIN.rawValue)
    connections.append(connection)
    return connection
  }

  /// Connects by TCP from and to an address of the loopback network.
  func connect(port: UInt16, address: UInt8) throws(BenchmarkFailure) -> Connection {
    try add(Connection(port: port, address: address, index: connections.count))
  }

  /// Leaves what comes on a connection in the kernel.
  func stopReading(_ connection: Connection) throws(BenchmarkFailure) { try control(EPOLL_CTL_MOD, connection, 0) }

  func goOnReading(_ connection: Connection) throws(BenchmarkFailure) {
    try control(EPOLL_CTL_MOD, connection, EPOLLIN.rawValue)
  }

  /// Handles events for a time.
  func wait(seconds: Double) throws(BenchmarkFailure) {
    let end = Clock.now() + UInt64(seconds * 1e9)
    try run { Clock.now() >= end }
  }

  package func connect(count: Int) throws(BenchmarkFailure) -> [Connection] {
    var result: [Connection] = []
    for _ in 0..<count { result.append(try connect()) }
    return result
  }

  /// Sends what is waiting and remembers to go on when the socket takes more.
  package func flush(_ connection: Connection) throws(BenchmarkFailure) {
    try connection.flush()
    try watchRoom(connection)
  }

  /// Handles events until `isDone`.
  ///
  /// - Throws: `.gone` when a connection ends or nothing at all happens for `patienceSeconds`; `.interrupted`; what
  ///   the connections' handlers throw.
  package func run(until isDone: () -> Bool) throws(BenchmarkFailure) {
    var latestEvent = Clock.now()
    while !isDone() {
      let happened = connections.count == 1 && probe == nil ? try receiveFromOnlyOne() : try handleEvents()
      if happened {
        latestEvent = 0
        continue
      }
      try Interruption.check()
      let now = Clock.now()
      if latestEvent == 0 { latestEvent = now }
      if Double(now - latestEvent) > patienceSeconds * 1e9 {
        throw .gone("the server has not sent anything for \(Int(patienceSeconds)) seconds")
      }
    }
    try Interruption.check()
  }

  /// With one connection a blocking read does what epoll and a read would do, in one system call.
  private func receiveFromOnlyOne() throws(BenchmarkFailure) -> Bool {
    let connection = connections[0]
    guard !connection.hasOutgoing else { return try handleEvents() }
    var limit = timeval(tv_sec: 0, tv_usec: 100_000)
    if !hasReadLimit {
      setsockopt(connection.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
      hasReadLimit = true
    }
    let happened = try connection.receive(into: buffer, waits: true)
    try watchRoom(connection)
    return happened
  }
  private var hasReadLimit = false

  private func handleEvents() throws(BenchmarkFailure) -> Bool {
    let count = epoll_wait(poll, &events, Int32(events.count), probe == nil ? waitMilliseconds : 1)
    if count < 0, errno != EINTR { throw .current("epoll_wait") }
    try probe?.tick()
    guard count > 0 else { return false }
    for number in 0..<Int(count) {
      let connection = connections[Int(events[number].data.u64)]
      let ready = events[number].events
      if ready & EPOLLOUT.rawValue != 0 { try connection.flush() }
      if ready & ~EPOLLOUT.rawValue != 0 { try connection.receive(into: buffer) }
      try watchRoom(connection)
      if let probe {
        // Its reply must not wait behind the bytes of the others.
        if probe.isWaiting { try probe.connection.receive(into: buffer) }
        try probe.tick()
      }
    }
    return true
  }

  private func watchRoom(_ connection: Connection) throws(BenchmarkFailure) {
    guard connection.hasOutgoing != connection.isWaitingForRoom else { return }
    connection.isWaitingForRoom = connection.hasOutgoing
    let events = EPOLLIN.rawValue | (connection.hasOutgoing ? EPOLLOUT.rawValue : 0)
    try control(EPOLL_CTL_MOD, connection, events)
  }

  private func control(_ operation: Int32, _ connection: Connection, _ events: UInt32) throws(BenchmarkFailure) {
    var event = epoll_event()
    event.events = events
    event.data.u64 = UInt64(connection.index)
    guard epoll_ctl(poll, operation, connection.descriptor, &event) == 0 else { throw .current("epoll_ctl") }
  }
}

/// A light client beside a heavy load: sends a request, waits for the reply, rests, and so on. Its longest latency is
/// what everybody else feels of the load.
package final class Probe {
  package let connection: Connection
  package private(set) var latencies = Histogram()
  private let template: RequestTemplate
  private let restNanoseconds: UInt64
  private var sentAt: UInt64 = 0
  private var restsUntil: UInt64 = 0
  private var number = 0
  /// Set to end the probing after the reply that is waited for.
  package var isEnding = false

  /// - Parameter template: The request; its field 0, if any, takes a number that counts up.
  package init(_ connection: Connection, template: RequestTemplate, restMilliseconds: Double = 1) {
    self.connection = connection
    self.template = template
    restNanoseconds = UInt64(restMilliseconds * 1e6)
    connection.handler = { [unowned self] _, _, now in
      latencies.record(now - sentAt)
      sentAt = 0
      restsUntil = now + restNanoseconds
    }
  }

  package var isWaiting: Bool { sentAt != 0 }

  /// Starts the record anew, when all is ready for what is to be watched.
  package func forgetLatencies() { latencies = Histogram() }

  func tick() throws(BenchmarkFailure) {
    guard !isWaiting, !isEnding else { return }
    let now = Clock.now()
    guard now >= restsUntil else { return }
    number += 1
    if template.fieldCount > 0 { template.set(0, to: number) }
    sentAt = now
    connection.send(template)
    try connection.flush()
  }
}
