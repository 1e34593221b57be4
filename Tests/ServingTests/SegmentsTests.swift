// SPDX-License-Identifier: Apache-2.0
//
// Transcripts of the machine of segments: what requests do and the log says, and what is to be done about it.

import Engine
import JSON
import OVSDB
import Testing

@testable import Serving

/// A machine, with every answer of it noted as a line.
private struct Transcript {
  var segments = Segments()
  var lines: [String] = []
  private let database: Database
  private var sessions = SlotMap<SessionTag, Int>()
  private var databases = SlotMap<DatabaseTag, Int>()
  let a: SessionHandle
  let b: SessionHandle
  let x: DatabaseHandle
  let y: DatabaseHandle

  init() throws {
    let schema = try JSONDocument.parse(#"{"name":"db","tables":{"T":{"columns":{"n":{"type":"integer"}},"isRoot":true}}}"#)
      .withRoot { try DatabaseSchema(json: $0) }
    database = Database(schema: schema, random: RandomSource(seed: 1))
    (a, b) = (sessions.insert(0), sessions.insert(1))
    (x, y) = (databases.insert(0), databases.insert(1))
  }

  /// A session's transaction changes a database.
  mutating func commit(_ session: SessionHandle, _ database: DatabaseHandle, isWritten: Bool = false) throws {
    touch(session)
    let document = try JSONDocument.parse(#"["db",{"op":"insert","table":"T","row":{}}]"#)
    var writer = ByteWriter()
    let previousID = self.database.lastCommitID
    let outcome = document.withRoot { self.database.transact(params: $0, context: TransactionContext(), into: &writer) }
    guard case .committed(let commit?, _) = outcome else { return }
    segments.add(commit, of: database, previousID: previousID, isWritten: isWritten)
  }

  mutating func touch(_ session: SessionHandle) {
    if !segments.open.sessions.contains(session) { segments.touch(session) }
  }

  mutating func close(answering: SessionHandle = .none) {
    guard let offer = segments.close(answering: answering) else { return lines.append("nothing to append") }
    lines.append("append \(offer.number): " + offer.databases.map(name).joined(separator: " "))
  }

  mutating func report(_ report: Segments.Report, _ number: UInt64) {
    segments.report(report, of: number)
    lines.append("log: \(report) \(number)")
  }

  /// Does what is to be done.
  mutating func run() {
    while let step = segments.next() {
      switch step {
      case .send(let segment):
        lines.append("send " + describe(segment))
        segments.reuse(segment)
      case .redo(let refused): lines.append("redo " + refused.map(describe).joined(separator: ", "))
      }
    }
  }

  private func describe(_ segment: Segment) -> String {
    let kept = segment.answering == .none ? "" : " keeping the input of \(name(segment.answering))"
    let commits = segment.commits.map { "\($0.commit.sequence)" }.joined(separator: " ")
    return "\(segment.number): sessions \(segment.sessions.map(name).joined(separator: " ")), commits \(commits)\(kept)"
  }

  private func name(_ session: SessionHandle) -> String { session == a ? "a" : "b" }
  private func name(_ database: DatabaseHandle) -> String { database == x ? "x" : "y" }
}

struct SegmentsTests {
  @Test func whatTheLogTookLeaves() throws {
    var transcript = try Transcript()
    try transcript.commit(transcript.a, transcript.x)
    try transcript.commit(transcript.b, transcript.x)
    try transcript.commit(transcript.a, transcript.y)
    transcript.run()
    transcript.close()
    transcript.run()
    transcript.report(.taken, 1)
    transcript.run()
    #expect(transcript.lines == ["append 1: x y", "log: taken 1", "send 1: sessions a b, commits 1 2 3"])
  }

  @Test func whatHasNoRecordsLeavesWithoutTheLog() throws {
    var transcript = try Transcript()
    transcript.touch(transcript.a)
    transcript.close()
    transcript.run()
    transcript.close()
    try transcript.commit(transcript.b, transcript.x, isWritten: true)
    transcript.close()
    transcript.run()
    #expect(
      transcript.lines == [
        "nothing to append", "send 1: sessions a, commits ", "nothing to append", "nothing to append",
        "send 2: sessions b, commits 1",
      ])
  }

  @Test func nothingOvertakesASegmentThatTheLogHasNotTaken() throws {
    var transcript = try Transcript()
    try transcript.commit(transcript.a, transcript.x)
    transcript.close()
    transcript.touch(transcript.b)
    transcript.close()
    try transcript.commit(transcript.b, transcript.y)
    transcript.close()
    transcript.run()
    transcript.report(.inDoubt, 1)
    transcript.run()
    transcript.report(.taken, 1)
    transcript.run()
    transcript.report(.taken, 3)
    transcript.run()
    #expect(
      transcript.lines == [
        "append 1: x", "nothing to append", "append 3: y", "log: inDoubt 1", "log: taken 1", "send 1: sessions a, commits 1",
        "send 2: sessions b, commits ", "log: taken 3", "send 3: sessions b, commits 2",
      ])
  }

  @Test func aRefusalTakesBackAllThatCameSinceNewestFirst() throws {
    var transcript = try Transcript()
    try transcript.commit(transcript.a, transcript.x)
    transcript.close()
    try transcript.commit(transcript.b, transcript.x)
    transcript.close()
    transcript.touch(transcript.b)
    transcript.close()
    try transcript.commit(transcript.a, transcript.y)
    transcript.report(.taken, 1)
    transcript.report(.refused, 2)
    transcript.run()
    #expect(
      transcript.lines == [
        "append 1: x", "append 2: x", "nothing to append", "log: taken 1", "log: refused 2", "send 1: sessions a, commits 1",
        "redo 4: sessions a, commits 3, 3: sessions b, commits , 2: sessions b, commits 2",
      ])
    #expect(transcript.segments.open.number == 5 && transcript.segments.open.sessions.isEmpty)
  }

  @Test func whatIsInDoubtMayBeRefused() throws {
    var transcript = try Transcript()
    try transcript.commit(transcript.a, transcript.x)
    transcript.close()
    transcript.report(.inDoubt, 1)
    transcript.run()
    transcript.report(.refused, 1)
    transcript.run()
    #expect(
      transcript.lines == [
        "append 1: x", "log: inDoubt 1", "log: refused 1", "redo 1: sessions a, commits 1",
      ])
  }

  @Test func whileRequestsAreExecutedAgainEachCommitIsAppendedByItself() throws {
    var transcript = try Transcript()
    try transcript.commit(transcript.a, transcript.x)
    #expect(!transcript.segments.appendsAtOnce(alone: false))
    #expect(transcript.segments.appendsAtOnce(alone: true))
    transcript.close()
    transcript.report(.refused, 1)
    transcript.run()
    #expect(transcript.segments.appendsAtOnce(alone: false))
    try transcript.commit(transcript.a, transcript.x, isWritten: true)
    transcript.close()
    transcript.run()
    transcript.segments.redone()
    #expect(!transcript.segments.appendsAtOnce(alone: false))
    #expect(transcript.lines.suffix(2) == ["nothing to append", "send 3: sessions a, commits 2"])
  }

  @Test func aFinalRequestHasASegmentOfItsOwn() throws {
    var transcript = try Transcript()
    transcript.touch(transcript.b)
    // What is answered already and changes nothing can wait for it.
    #expect(!transcript.segments.mustCloseBeforeFinal)
    try transcript.commit(transcript.a, transcript.x)
    #expect(transcript.segments.mustCloseBeforeFinal)
    // The request stands behind the transaction in the session's input, which therefore stays.
    transcript.close(answering: transcript.a)
    transcript.report(.taken, 1)
    transcript.run()
    transcript.touch(transcript.a)
    transcript.segments.beginFinal()
    let closes = transcript.segments.endRequest()
    #expect(closes)
    transcript.close()
    transcript.run()
    #expect(
      transcript.lines == [
        "append 1: x", "log: taken 1", "send 1: sessions b a, commits 1 keeping the input of a", "nothing to append",
        "send 2: sessions a, commits ",
      ])
    let closesAgain = transcript.segments.endRequest()
    #expect(!closesAgain)
  }

  @Test func reportsComeInOrder() async {
    await #expect(processExitsWith: .failure) {
      var transcript = try Transcript()
      try transcript.commit(transcript.a, transcript.x)
      transcript.close()
      try transcript.commit(transcript.a, transcript.x)
      transcript.close()
      transcript.report(.taken, 2)
    }
  }
}
