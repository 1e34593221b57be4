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
import Streams

/// One large message of a session, between what came before it and what comes after.
final class OutputStream {
  enum Part {
    case bytes(ByteBuffer)
    /// The rows of a select, as far as they are not sent.
    case rows(DeferredRows)
    /// The rows of a select that are being arranged.
    case rowsToCome
    /// A shared body, from a piece on, and what stands for it when it is empty.
    case pieces(SharedPieces, next: Int, ifEmpty: ByteBuffer? = nil)
    /// An update, from a piece of its body on. It is not sent at all when the body is empty; nil: the head was sent.
    case update(SharedPieces, next: Int, head: ByteBuffer?)
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
  /// The states of databases that it tells of.
  private(set) var holds: [StateHold]
  /// More parts will come: initial contents whose turn it is not.
  var isOpen = false
  /// The log took what was before it; pieces may leave.
  var isStarted = false
  /// It has updates only, and may get more until it is started.
  private(set) var isOfUpdates = false
  /// What was written before it in the same segment.
  var before: HeldOutput?
  /// What was written behind it in the same segment and waits for a sync.
  var behind: [HeldOutput] = []
  var piecesInFlight = 0
  /// The monitor that is told its initial contents.
  let subscription: Subscription?
  /// What its selects count against the limit of rows that are arranged.
  private let claim: ArrangementClaim?

  init(holds: [StateHold], _ parts: [Part], subscription: Subscription? = nil, claim: ArrangementClaim? = nil) {
    self.holds = holds
    self.parts = Deque(parts)
    self.subscription = subscription
    self.claim = claim
  }

  /// Updates that are too large to be made at once.
  init(hold: StateHold, update: Part) {
    holds = [hold]
    parts = [update]
    subscription = nil
    claim = nil
    isOfUpdates = true
  }

  func append(_ more: [Part]) { parts.append(contentsOf: more) }

  func append(_ hold: StateHold) {
    if holds.last !== hold { holds.append(hold) }
  }

  /// Parts that updates may make of one stream: many large commits of one segment for a thousand monitors each would make millions.
  private static let partsMax = 4096

  /// Whether updates of the open segment may be put behind it, or into it.
  var takesUpdates: Bool { isOfUpdates && !isStarted && parts.count < Self.partsMax }

  /// Bytes of what comes behind it.
  var behindBytes: Int { behind.reduce(0) { $0 + $1.bytes.readableBytes } }

  /// Notes the failure of a sync that what comes behind it waits for.
  func report(_ error: OVSDBError, to database: ServedDatabase) {
    for position in behind.indices { behind[position].report(error, to: database) }
  }

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
    case .pieces(let pieces, let next, let substitute):
      switch pieces.take(next, for: session) {
      case .piece(let piece):
        // Rows were looked at, and perhaps none was to be told.
        let isEmpty = piece.readableBytes == 0
        parts.prepend(.pieces(pieces, next: next + 1, ifEmpty: isEmpty ? substitute : nil))
        return isEmpty ? .nothing : .piece(piece)
      case .missing:
        parts.prepend(part)
        return .waiting
      case .end: return substitute.map { .piece($0) } ?? .nothing
      }
    case .update(let pieces, let next, let head): return step(pieces, next, head, part, session)
    }
  }

  private func step(_ pieces: SharedPieces, _ next: Int, _ head: ByteBuffer?, _ part: Part, _ session: Session) -> Step {
    switch pieces.take(next, for: session) {
    case .missing:
      parts.prepend(part)
      return .waiting
    case .end: return head == nil ? .piece(Self.updateTail) : .nothing
    case .piece(let piece):
      guard piece.readableBytes > 0 else {
        parts.prepend(.update(pieces, next: next + 1, head: head))
        return .nothing
      }
      if let head { session.connection.write(shared: head) }
      guard pieces.isEnd(next + 1) else {
        parts.prepend(.update(pieces, next: next + 1, head: nil))
        return .piece(piece)
      }
      session.connection.write(shared: piece)
      return .piece(Self.updateTail)
    }
  }

  private static let updateTail = ByteBuffer(string: "]}")
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
    if isPumpScheduled { after(.breath) { [self] in runPumps() } }
  }
}
