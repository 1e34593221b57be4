// SPDX-License-Identifier: Apache-2.0
//
// A large message's body, encoded on a thread of its own, a few pieces ahead of the client that reads fastest, and shared by all clients
// that are sent the same; meanwhile the database goes on.

import Engine
import JSON
import Monitoring
import NIOCore
import OVSDB

/// Encoded pieces of a message. A piece that was dropped is encoded anew for a client that comes late.
final class SharedPieces {
  enum Lookup {
    case piece(ByteBuffer)
    /// It is being encoded, or will be; the session's stream is gone on with then.
    case missing
    case end
  }

  private unowned let server: Server
  let hold: StateHold
  private var pieces: [ByteBuffer?] = []
  /// The message from each piece on, and behind the last of them from the next one on.
  private var starts: [any MessagePieces]
  private(set) var isComplete = false
  private var isEncoding = false
  private var waiting: [Session] = []
  private(set) var retainedBytes = 0 {
    didSet { total.count += retainedBytes - oldValue }
  }
  private let total: RetainedBytes
  /// Pieces are kept for those who are close behind only.
  private var keepsFew = false
  private var lastProgress: NIODeadline
  private var lastTake: NIODeadline
  /// The server knows of it, and sees to it that it is retired.
  var isKnown = false

  /// Pieces that are encoded in one go; fewer when rows are so large that some hold more than they should.
  static let piecesPerJob = 8
  /// Values that are looked at in one go, so that others have their turn.
  private static let looksPerJobMax = 400_000
  /// Pieces behind the newest that are kept for others when not all are.
  static let piecesKept = 16

  /// - Parameter hold: of the oldest state of the database that the message tells of.
  init(_ message: any MessagePieces, hold: StateHold, server: Server) {
    self.server = server
    self.hold = hold
    total = server.retainedBytes
    lastProgress = server.eventLoop.now
    lastTake = lastProgress
    starts = [message]
  }

  deinit { total.count -= retainedBytes }

  /// Whether somebody is on the way through: who asks for newer contents waits a little and shares them with others who do.
  var isBusy: Bool { !isComplete && server.eventLoop.now - lastProgress < .milliseconds(100) }

  /// Whether somebody took a piece a moment ago.
  func isInUse(within time: TimeAmount) -> Bool { server.eventLoop.now - lastTake < time }

  func take(_ number: Int, for session: Session) -> Lookup {
    lastTake = server.eventLoop.now
    server.note(self)
    if isEnd(number) { return .end }
    let piece = number < pieces.count ? pieces[number] : nil
    // Ahead of whoever reads fastest, so that nobody waits.
    if !isComplete, !isEncoding, number + Self.piecesPerJob / 2 >= pieces.count { encode(from: pieces.count) }
    if let piece { return .piece(piece) }
    waiting.append(session)
    if !isEncoding { encode(from: number) }
    return .missing
  }

  /// Whether there is no piece of this number.
  func isEnd(_ number: Int) -> Bool { isComplete && number >= pieces.count }

  private struct Job: Sendable {
    /// The message where it began, made ready.
    var start: any MessagePieces
    var pieces: [ByteBuffer] = []
    var starts: [any MessagePieces] = []
    var byteCount = 0
    var isComplete = false
  }

  private func encode(from number: Int) {
    isEncoding = true
    let start = starts[number]
    let size = server.limits.pieceBytes
    server.inBackground { () -> Job in
      var message = start
      message.prepare()
      var job = Job(start: message)
      var writer = ByteWriter(capacity: size + 4096)
      var looks = 0
      while job.pieces.count < Self.piecesPerJob, job.byteCount < Self.piecesPerJob * size, looks < Self.looksPerJobMax, !job.isComplete {
        writer.removeAll()
        job.isComplete = !message.writePiece(until: size, looks: &looks, to: &writer)
        job.pieces.append(ByteBuffer(copying: writer))
        job.byteCount += writer.count
        job.starts.append(message)
      }
      return job
    } then: { [self] job in
      isEncoding = false
      lastProgress = server.eventLoop.now
      keep(job, from: number)
      let woken = waiting
      waiting = []
      for session in woken { server.schedulePump(session) }
      server.trimPieces(newest: self)
    }
  }

  private func keep(_ job: Job, from number: Int) {
    starts[number] = job.start
    for (offset, piece) in job.pieces.enumerated() {
      let place = number + offset
      if place == pieces.count {
        pieces.append(nil)
        starts.append(job.starts[offset])
      }
      if pieces[place] == nil { retainedBytes += piece.readableBytes }
      pieces[place] = piece
    }
    if job.isComplete { isComplete = true }
    if keepsFew { drop(before: number + job.pieces.count - Self.piecesKept) }
  }

  private func drop(before end: Int) {
    for place in pieces.indices.prefix(max(0, end)) {
      retainedBytes -= pieces[place]?.readableBytes ?? 0
      pieces[place] = nil
    }
  }

  /// Lets go of what only those need who lag; they cause it to be encoded again.
  func keepFew() {
    keepsFew = true
    drop(before: pieces.count - Self.piecesKept)
  }

  /// Lets go of all pieces, for nobody takes any.
  func retire() { drop(before: pieces.count) }
}

/// Bytes that all encoded pieces take.
final class RetainedBytes {
  fileprivate(set) var count = 0
}

/// Pieces belong to those who send them, or are kept for those who come a moment later.
struct WeakPieces {
  weak var pieces: SharedPieces?
}

extension Server {
  /// How long pieces that nobody takes are kept for those who come a moment later, and how often they are looked through.
  private static let piecesKept = TimeAmount.seconds(1)

  /// Notes pieces until nobody has taken one for a while.
  fileprivate func note(_ pieces: SharedPieces) {
    guard !pieces.isKnown else { return }
    pieces.isKnown = true
    knownPieces.append(WeakPieces(pieces: pieces))
    scheduleRetirement()
  }

  private func scheduleRetirement() {
    guard !isRetirementScheduled else { return }
    isRetirementScheduled = true
    after(Self.piecesKept) { [self] in
      isRetirementScheduled = false
      retirePieces()
      if !knownPieces.isEmpty { scheduleRetirement() }
    }
  }

  /// Lets go of pieces that nobody takes any more. Who is in the middle of them has them encoded again.
  private func retirePieces() {
    for pieces in sharedPieces where !pieces.isInUse(within: Self.piecesKept) && !pieces.isBusy {
      pieces.retire()
      pieces.isKnown = false
    }
    for database in databases.values { database.forgetPieces { !$0.isKnown } }
    knownPieces.removeAll { $0.pieces?.isKnown != true }
  }

  /// Pieces that are being sent or were a moment ago, oldest first.
  var sharedPieces: [SharedPieces] { knownPieces.compactMap(\.pieces) }

  /// Keeps encoded pieces within their limit: the oldest go first, of each message what was encoded first. Those of the newest stay in any
  /// case, so that whoever waits for them gets on.
  fileprivate func trimPieces(newest: SharedPieces) {
    guard retainedBytes.count > limits.contentsBytesMax else { return }
    let others = sharedPieces.filter { $0 !== newest }
    for pieces in others where retainedBytes.count > limits.contentsBytesMax { pieces.keepFew() }
    for pieces in others where retainedBytes.count > limits.contentsBytesMax { pieces.retire() }
    if retainedBytes.count > limits.contentsBytesMax { newest.keepFew() }
  }

  /// The pieces of an update, which all share who are told it.
  func pieces(of update: LargeUpdate, in database: ServedDatabase) -> SharedPieces {
    if let pieces = database.updates[update.key] { return pieces }
    let pieces = SharedPieces(update.changes, hold: update.hold, server: self)
    database.updates[update.key] = pieces
    note(pieces)
    return pieces
  }
}

extension ServedDatabase {
  /// Keeps no pieces for those who may come.
  func forgetAllPieces() {
    forgetPieces { _ in true }
  }

  /// Forgets pieces. Who is in the middle of them keeps them.
  fileprivate func forgetPieces(_ isForgotten: (SharedPieces) -> Bool) {
    for (key, line) in contents where line.current.map({ isForgotten($0.pieces) }) == true {
      line.current = nil
      if line.queue.isEmpty { contents[key] = nil }
    }
    updates = updates.filter { !isForgotten($0.value) }
  }
}
