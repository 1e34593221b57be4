// SPDX-License-Identifier: Apache-2.0
//
// Replies and updates that are too large to be made at once: they are made piece by piece as their client takes them, a few pieces for
// one client and then for the next. So a client that does not read, and a thousand that come together, cost pieces and not copies.

import DequeModule
import Engine
import JSON
import Monitoring
import NIOCore
import OVSDB

/// One large message of a session, between what came before it and what comes after.
final class OutputStream {
  enum Part {
    case bytes(ByteBuffer)
    /// The rows of a select, as far as they are not sent.
    case rows(DeferredRows)
    /// The rows of a select that are being arranged.
    case rowsToCome
    /// Initial contents, from a piece on.
    case contents(SharedContents, next: Int)
    /// What a monitor is owed. When there is a head it is an update, which is not sent at all when nothing is owed.
    case changes(OwedChanges, head: ByteBuffer?)
    /// The end of an update that was sent: left out when its changes were nothing.
    case tail(ByteBuffer)
  }

  /// What making the next piece came to.
  enum Step {
    case piece(ByteBuffer)
    /// Nothing to send yet, and more to look at.
    case nothing
    /// Somebody else has to do something first, who calls `Server.schedulePump`.
    case waiting
    case end
  }

  /// Pieces that are with the channel at once.
  static let piecesInFlightMax = 2

  private(set) var parts: Deque<Part>
  /// More parts will come: initial contents whose turn it is not.
  var isOpen = false
  /// The log took what was before it; pieces may leave.
  var isStarted = false
  /// What was written before it in the same segment.
  var before: HeldOutput?
  var piecesInFlight = 0
  /// The monitor that is told its initial contents.
  let subscription: Subscription?
  private var wasAnythingOwed = false
  /// What its selects count against the limit of rows that are arranged.
  private let claim: ArrangementClaim?

  init(_ parts: [Part], subscription: Subscription? = nil, claim: ArrangementClaim? = nil) {
    self.parts = Deque(parts)
    self.subscription = subscription
    self.claim = claim
  }

  func append(_ more: [Part]) { parts.append(contentsOf: more) }

  /// Takes the rows that it waits for.
  func take(_ arranged: DeferredRows) {
    guard case .rowsToCome? = parts.first else { return }
    parts[0] = .rows(arranged)
  }

  /// Makes the next piece.
  func step(_ session: Session) -> Step {
    guard let part = parts.popFirst() else { return isOpen ? .waiting : .end }
    switch part {
    case .bytes(let bytes): return bytes.readableBytes > 0 ? .piece(bytes) : .nothing
    case .tail(let bytes): return wasAnythingOwed ? .piece(bytes) : .nothing
    case .rows(var rows):
      guard !rows.needsArrangement else {
        parts.prepend(.rowsToCome)
        session.server.arrange(rows, for: session)
        return .waiting
      }
      let size = session.server.limits.pieceBytes
      var writer = ByteWriter(capacity: size + 1024)
      if rows.writePiece(until: size, to: &writer) { parts.prepend(.rows(rows)) }
      return writer.count > 0 ? .piece(ByteBuffer(copying: writer)) : .nothing
    case .rowsToCome:
      parts.prepend(part)
      return .waiting
    case .contents(let contents, let next):
      switch contents.take(next, for: session) {
      case .piece(let piece):
        parts.prepend(.contents(contents, next: next + 1))
        // Rows were looked at, and none was to be told.
        return piece.readableBytes > 0 ? .piece(piece) : .nothing
      case .missing:
        parts.prepend(part)
        return .waiting
      case .end: return .nothing
      }
    case .changes(var changes, let head): return step(&changes, head, size: session.server.limits.pieceBytes)
    }
  }

  private func step(_ changes: inout OwedChanges, _ head: ByteBuffer?, size: Int) -> Step {
    var writer = ByteWriter(capacity: size + 1024)
    let isBeginning = changes.isEmpty
    let hasMore = changes.writePiece(until: size, to: &writer)
    if hasMore { parts.prepend(.changes(changes, head: head)) }
    guard let head else { return writer.count > 0 ? .piece(ByteBuffer(copying: writer)) : .nothing }
    if changes.isEmpty { return .nothing }
    wasAnythingOwed = true
    guard isBeginning else { return .piece(ByteBuffer(copying: writer)) }
    var piece = head
    writer.withBytes { _ = piece.writeBytes($0) }
    return .piece(piece)
  }
}

extension ByteBuffer {
  init(copying writer: borrowing ByteWriter) {
    self = ByteBufferAllocator().buffer(capacity: writer.count)
    writer.withBytes { _ = writeBytes($0) }
  }

  /// What a closure writes.
  init(_ write: (inout ByteWriter) -> Void) {
    var writer = ByteWriter()
    write(&writer)
    self.init(copying: writer)
  }
}

extension Server {
  /// Pieces that are made before the sockets are looked at again, and how long making them may take.
  private static let piecesPerTurnMax = 8
  private static let pumpMax = TimeAmount.milliseconds(1)
  /// The event loop looks at the sockets when no task is due. So this is how long it is left to them.
  static let breath = TimeAmount.microseconds(100)

  /// Has a session's stream gone on with, after those of others.
  func schedulePump(_ session: Session) {
    guard !session.isPumpQueued else { return }
    session.isPumpQueued = true
    pumping.append(session)
    guard !isPumpScheduled else { return }
    isPumpScheduled = true
    soon { [self] in runPumps() }
  }

  private func runPumps() {
    // What comes after a stream may be of the open segment.
    closeSegment()
    var budget = Self.piecesPerTurnMax
    let end = eventLoop.now + Self.pumpMax
    while budget > 0, let session = pumping.popFirst() {
      budget = eventLoop.now < end ? budget - 1 : 0
      session.isPumpQueued = false
      if session.pump(), !session.isPumpQueued {
        session.isPumpQueued = true
        pumping.append(session)
      }
    }
    // Until here it counts as scheduled: a piece that the kernel takes at once must not begin the next turn before the breath.
    isPumpScheduled = !pumping.isEmpty
    if isPumpScheduled { after(Self.breath) { [self] in runPumps() } }
  }
}
