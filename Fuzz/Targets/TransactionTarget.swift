// SPDX-License-Identifier: Apache-2.0
//
// Transactions of strangers on a live database.

import Engine
import JSON
import Journal
import OVSDB

extension FuzzTarget {
  /// The input is one text after the other, each the parameters of a transaction. After each: the bookkeeping is right, an error
  /// left nothing behind, a commit can be taken back and made again; and at the end the records give the database back.
  static let transaction = FuzzTarget(name: "transaction", words: Catalog.words) { bytes in
    let database = try Catalog.makeDatabase()
    var stream = JSONStream(messageBytesMax: 1 << 20)
    stream.append(bytes)
    var records = [Array(Catalog.schemaText.utf8)]
    var writer = ByteWriter()
    while let params = try? stream.next() {
      guard params.kind == .array else { continue }
      try step(params, database, &writer, &records)
    }
    let replayed = try DatabaseFile.assemble(records, path: "fuzz")
    let (live, stored) = (database.lines(isPersistent: true), replayed.lines(isPersistent: true))
    try require(live == stored, "in memory \(live), from the records \(stored)")
  }

  private static func step(
    _ params: JSONValue, _ database: Database, _ writer: inout ByteWriter, _ records: inout [[UInt8]]
  ) throws {
    let before = database.lines()
    let previousID = database.lastCommitID
    writer.removeAll()
    let outcome = database.transact(params: params, context: TransactionContext(), into: &writer)
    if case .blocked = outcome {
      try require(writer.count == 0, "a blocked transaction answered \(writer.string)")
    } else {
      let isArray = try JSONDocument.parse(writer.string).withRoot { $0.kind == .array }
      try require(isArray, "the answer is \(writer.string)")
    }
    try check(database)
    try checkPieces(params, database, whole: writer.string)
    guard case .committed(let commit?, _) = outcome else {
      return try require(database.lines() == before, "rows changed without a commit: \(params.text())")
    }
    let after = database.lines()
    database.undo(commit, previousID: previousID)
    try check(database)
    try require(database.lines() == before, "what was taken back is not what was: \(params.text())")
    database.apply(commit)
    try check(database)
    try require(database.lines() == after, "what was made again is not what was: \(params.text())")
    guard commit.isPersistent else { return }
    var record = ByteWriter()
    try require(
      TransactionRecord.write(commit, dateMilliseconds: 0, usesDifferences: records.count % 2 == 0, into: &record),
      "a commit that changed something made no record")
    records.append(record.bytes)
  }

  /// Selects whose rows are left to be written later give the same text in the end.
  private static func checkPieces(_ params: JSONValue, _ database: Database, whole: String) throws {
    let isReading = params.count > 1 && params.elements.dropFirst().allSatisfy { $0.member("op")?.isString("select") == true }
    guard isReading else { return }
    var result = ByteWriter()
    var deferred: [DeferredRows] = []
    _ = database.transact(
      params: params, context: TransactionContext(deferral: DeferralTerms(rowsMin: 1)), into: &result, deferring: &deferred)
    var pieces = ByteWriter()
    result.withBytes { bytes in
      var start = 0
      for var rows in deferred {
        pieces.append(UnsafeRawBufferPointer(rebasing: bytes[start..<rows.offset]))
        start = rows.offset
        if rows.needsArrangement { rows = rows.arranged() }
        while rows.writePiece(until: pieces.count + 30, to: &pieces) {}
      }
      pieces.append(UnsafeRawBufferPointer(rebasing: bytes[start...]))
    }
    try require(pieces.string == whole, "at once \(whole), in pieces \(pieces.string)")
  }

  private static func check(_ database: Database) throws {
    let faults = database.checkInvariants()
    try require(faults.isEmpty, "\(faults)")
  }
}
