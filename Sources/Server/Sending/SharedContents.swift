// SPDX-License-Identifier: Apache-2.0
//
// Large initial contents, encoded from a snapshot on a thread of their own, a few pieces ahead of the client that reads fastest, and
// shared by all clients that ask for the same; meanwhile the database goes on.

import Engine
import JSON
import Monitoring
import NIOCore
import OVSDB

/// What makes two initial contents the same bytes, as long as the rows are the same.
struct ContentsKey: Hashable {
  let specification: MonitorSpecification
  let isDifferential: Bool
}

/// Encoded contents of one snapshot, in pieces. A piece that was dropped is encoded anew for a client that comes late.
final class SharedContents {
  enum Lookup {
    case piece(ByteBuffer)
    /// It is being encoded, or will be; the session's stream is gone on with then.
    case missing
    case end
  }

  let key: ContentsKey
  let snapshot: Snapshot
  private unowned let server: Server
  private var pieces: [ByteBuffer?] = []
  /// Where each piece begins, and behind the last of them where the next one does.
  private var starts: [ContentsCursor]
  private var isComplete = false
  private var isEncoding = false
  private var waiting: [Session] = []
  private(set) var retainedBytes = 0
  /// Pieces are kept for those who are close behind only.
  private var isRetired = false
  private var lastProgress: NIODeadline

  /// Pieces that are encoded in one go.
  private static let piecesPerJob = 8
  /// Values that are compared with conditions in one go, so that others have their turn.
  private static let looksPerJobMax = 400_000
  /// Pieces behind the newest that are kept for others when not all are.
  private static let piecesKept = 16

  init(_ key: ContentsKey, _ snapshot: Snapshot, server: Server) {
    self.key = key
    self.snapshot = snapshot
    self.server = server
    lastProgress = server.eventLoop.now
    starts = [ContentsCursor(format: key.isDifferential ? .update2 : .update)]
  }

  /// Whether another snapshot has the same rows in the monitored tables.
  func isCurrent(_ other: Snapshot) -> Bool {
    snapshot.schema === other.schema
      && key.specification.tables.allSatisfy {
        snapshot.tables[$0.table.index].changeCount == other.tables[$0.table.index].changeCount
      }
  }

  /// Whether somebody is on the way through: who asks for newer contents waits a little and shares them with others who do.
  var isBusy: Bool { !isComplete && server.eventLoop.now - lastProgress < .milliseconds(100) }

  func take(_ number: Int, for session: Session) -> Lookup {
    if isComplete, number >= pieces.count { return .end }
    let piece = number < pieces.count ? pieces[number] : nil
    // Ahead of whoever reads fastest, so that nobody waits.
    if !isComplete, !isEncoding, number + Self.piecesPerJob / 2 >= pieces.count { encode(from: pieces.count) }
    if let piece { return .piece(piece) }
    waiting.append(session)
    if !isEncoding { encode(from: number) }
    return .missing
  }

  private struct Job: Sendable {
    var pieces: [ByteBuffer] = []
    var starts: [ContentsCursor] = []
    var isComplete = false
  }

  private func encode(from number: Int) {
    isEncoding = true
    let specification = key.specification
    let snapshot = snapshot
    let start = starts[number]
    let size = server.limits.pieceBytes
    server.inBackground { () -> Job in
      var job = Job()
      var cursor = start
      var writer = ByteWriter(capacity: size + 4096)
      var looks = 0
      while job.pieces.count < Self.piecesPerJob, looks < Self.looksPerJobMax, !job.isComplete {
        writer.removeAll()
        job.isComplete = !specification.writePiece(
          of: snapshot, from: &cursor, until: size, looks: &looks, to: &writer)
        job.pieces.append(ByteBuffer(copying: writer))
        job.starts.append(cursor)
      }
      return job
    } then: { [self] job in
      isEncoding = false
      lastProgress = server.eventLoop.now
      keep(job, from: number)
      let woken = waiting
      waiting = []
      for session in woken { server.schedulePump(session) }
      server.trimContents()
    }
  }

  private func keep(_ job: Job, from number: Int) {
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
    if isRetired { drop(before: number + job.pieces.count - Self.piecesKept) }
  }

  private func drop(before end: Int) {
    for place in pieces.indices.prefix(max(0, end)) {
      retainedBytes -= pieces[place]?.readableBytes ?? 0
      pieces[place] = nil
    }
  }

  /// Lets go of what only those need who lag; they cause it to be encoded again.
  func retire() {
    isRetired = true
    drop(before: pieces.count - Self.piecesKept)
  }
}
