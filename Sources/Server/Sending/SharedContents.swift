// SPDX-License-Identifier: Apache-2.0
//
// Initial contents of monitors. Small ones are written at once. Large ones are encoded from a snapshot on a thread of their own, a few
// pieces ahead of the client that reads fastest, and shared by all clients that ask for the same; meanwhile the database goes on.

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
  private var lastProgress = NIODeadline.now()

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
  var isBusy: Bool { !isComplete && NIODeadline.now() - lastProgress < .milliseconds(100) }

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
      lastProgress = .now()
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

/// Clients that ask for the same contents: those that are being served, and those that share the next ones.
final class ContentsLine {
  typealias Request = (session: Session, subscription: Subscription, stream: OutputStream, idText: String)

  var current: SharedContents?
  var queue: [Request] = []
}

extension Server {
  /// How long contents that nobody reads are kept for those who come a moment later.
  private static let contentsKept = TimeAmount.seconds(1)
  /// How long newer contents wait for those that are on their way.
  private static let contentsWait = TimeAmount.milliseconds(20)

  /// Answers a monitor request with the contents of its tables.
  func sendInitialContents(
    of database: ServedDatabase, to session: Session, for subscription: Subscription, id: JSONValue
  ) {
    let snapshot = database.database.snapshot
    let specification = subscription.group.specification
    guard specification.rowCount(in: snapshot) > limits.inlineRowsMax else {
      session.reply(id) { writer in
        Self.writeHead(subscription.format, database.database.lastCommitID, &writer)
        specification.writeInitialContents(of: snapshot, format: subscription.format, to: &writer)
        if subscription.format == .update3 { writer.append("]") }
      }
      return
    }
    subscription.isStarting = true
    let stream = OutputStream([], subscription: subscription)
    stream.isOpen = true
    session.begin(stream)
    let key = ContentsKey(specification: specification, isDifferential: subscription.format.isDifferential)
    let line = database.contents[key] ?? ContentsLine()
    database.contents[key] = line
    let request = (session: session, subscription: subscription, stream: stream, idText: id.text(sorted: false))
    if let current = line.current, current.isCurrent(snapshot) {
      join(current, request, database)
    } else if line.current?.isBusy == true || !line.queue.isEmpty {
      line.queue.append(request)
      if line.queue.count == 1 { awaitTurn(line, key, database) }
    } else {
      join(makeContents(line, key, database), request, database)
    }
  }

  private func makeContents(_ line: ContentsLine, _ key: ContentsKey, _ database: ServedDatabase) -> SharedContents {
    line.current?.retire()
    let contents = SharedContents(key, database.database.snapshot, server: self)
    line.current = contents
    sharedContents.append(contents)
    retire(contents, in: line, key, database)
    return contents
  }

  /// Forgets contents some time after nobody was on the way through any more.
  private func retire(_ contents: SharedContents, in line: ContentsLine, _ key: ContentsKey, _ database: ServedDatabase) {
    after(Self.contentsKept) { [self, weak database] in
      if contents.isBusy { return database.map { retire(contents, in: line, key, $0) } ?? () }
      contents.retire()
      sharedContents.removeAll { $0 === contents }
      guard line.current === contents else { return }
      line.current = nil
      if line.queue.isEmpty, database?.contents[key] === line { database?.contents[key] = nil }
    }
  }

  private func join(_ contents: SharedContents, _ request: ContentsLine.Request, _ database: ServedDatabase) {
    let format = request.subscription.format
    // The contents are those of this moment: what was added up until now is in them.
    request.subscription.backlog = nil
    let head = ByteBuffer { writer in
      writer.append("{\"id\":")
      writer.append(utf8: request.idText)
      writer.append(",\"result\":")
      Self.writeHead(format, database.database.lastCommitID, &writer)
    }
    let tail = ByteBuffer { $0.append(format == .update3 ? "],\"error\":null}" : ",\"error\":null}") }
    request.stream.append([.bytes(head), .contents(contents, next: 0), .bytes(tail)])
    request.stream.isOpen = false
    schedulePump(request.session)
  }

  /// Begins the next contents when those before are encoded or nobody goes on reading them.
  private func awaitTurn(_ line: ContentsLine, _ key: ContentsKey, _ database: ServedDatabase) {
    after(Self.contentsWait) { [self] in
      guard !line.queue.isEmpty else { return }
      if line.current?.isBusy == true { return awaitTurn(line, key, database) }
      closeSegment()
      beginNext(line, key, database)
    }
  }

  private func beginNext(_ line: ContentsLine, _ key: ContentsKey, _ database: ServedDatabase) {
    let requests = line.queue.filter { !$0.session.isClosed }
    line.queue = []
    guard !requests.isEmpty else { return }
    let contents = makeContents(line, key, database)
    for request in requests { join(contents, request, database) }
  }

  /// Gives those who wait the contents of now, before they are replaced.
  func beginAllContents(of database: ServedDatabase) {
    for (key, line) in database.contents where !line.queue.isEmpty { beginNext(line, key, database) }
    database.contents = [:]
  }

  /// Keeps encoded contents within their limit: the oldest go first, and of a single one what was encoded first.
  func trimContents() {
    var total = sharedContents.reduce(0) { $0 + $1.retainedBytes }
    for contents in sharedContents where total > limits.contentsBytesMax {
      total -= contents.retainedBytes
      contents.retire()
      total += contents.retainedBytes
    }
  }

  private static func writeHead(_ format: UpdateFormat, _ commitID: UUID, _ writer: inout ByteWriter) {
    guard format == .update3 else { return }
    writer.append("[false,\"")
    commitID.write(to: &writer)
    writer.append("\",")
  }
}
