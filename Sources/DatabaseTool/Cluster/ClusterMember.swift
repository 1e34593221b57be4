// SPDX-License-Identifier: Apache-2.0
//
// The log of one member as its file tells it, for `check-cluster`: which entries are left, who led when, what was committed when.
// Reading it finds what one file alone shows to be wrong; ClusterCheck.swift holds several against each other.

import Daemon
import JSON
import Journal
import OVSDB

/// One member's log. Of each entry only its term and a hash are kept, so that logs of millions of entries fit into memory.
struct ClusterMember {
  struct Entry {
    var term: UInt64
    /// Of the canonical text (`ClusterEntry.write`).
    var digest: SHA1Digest
    /// The number of its record, to read it again for a message.
    var record: Int
  }

  /// That a server led a term, as this file has it.
  struct Leadership {
    var leader: String
    var record: Int
    /// The index that the next entry would have had.
    var logEnd: UInt64
  }

  let path: String
  /// Without the snapshot, which is not kept.
  let header: ClusterHeader
  /// The index of the first of `entries`.
  let logStart: UInt64
  private(set) var entries: [Entry] = []
  private(set) var leaderships: [UInt64: Leadership] = [:]
  /// How far the log was known to be committed, by the term in which it became known.
  private(set) var commits: [UInt64: UInt64] = [:]
  private(set) var commitIndex: UInt64

  /// Whether any record speaks of a term; without one there is nothing to examine.
  private(set) var isEmpty = true

  private var term: UInt64
  private var vote: String?
  private var leader: Leadership?
  /// The term of the last entry, or of the snapshot.
  private var lastTerm: UInt64 { entries.last?.term ?? snapshotTerm }
  private let snapshotTerm: UInt64

  var logEnd: UInt64 { logStart + UInt64(entries.count) }

  /// Nil for a server that has not joined yet. There must be room behind its snapshot (`ClusterFile.checkRoom`).
  init?(path: String, header: ClusterHeader) {
    guard let snapshot = header.snapshot else { return nil }
    var header = header
    header.snapshot = nil
    self.path = path
    self.header = header
    logStart = snapshot.index + 1
    commitIndex = snapshot.index
    snapshotTerm = snapshot.term
    term = snapshot.term
  }

  func entry(at index: UInt64) -> Entry? {
    guard index >= logStart, index < logEnd else { return nil }
    return entries[Int(index - logStart)]
  }

  /// Takes record `number`.
  ///
  /// - Parameter nameOf: how a server is called in messages.
  /// - Returns: what is worth telling and is no error.
  /// - Throws: what the record contradicts.
  mutating func add(_ record: ClusterRecord, number: Int, nameOf: (String) -> String) throws(ToolError) -> String? {
    if record.term > 0 { isEmpty = false }
    if record.term > term {
      term = record.term
      vote = nil
      leader = nil
    }
    let place = "\(path): record \(number)"
    switch record.content {
    case .term: break
    case .note(let note):
      if note == "left" { return "\(place) shows that the server left the cluster" }
    case .vote(let server):
      if record.term < term { throw ToolError("\(place) votes for term \(record.term) but current term is \(term)") }
      if let vote, vote != server {
        throw ToolError(
          "\(place) votes for \(nameOf(server)) in term \(term) but a previous record for the same term voted for \(nameOf(vote))")
      }
      vote = server
    case .leader(let server):
      if let leader, leader.leader != server {
        throw ToolError(
          """
          \(place) reports leader \(nameOf(server)) for term \(term) but record \(leader.record) previously reported the leader \
          as \(nameOf(leader.leader)) in that term
          """)
      }
      let known = leader ?? Leadership(leader: server, record: number, logEnd: logEnd)
      leader = known
      leaderships[term] = known
    case .commit(let index): try commit(index, place)
    case .entry(let entry): return try append(entry, term: record.term, number: number)
    }
    return nil
  }

  private mutating func commit(_ index: UInt64, _ place: String) throws(ToolError) {
    if index < commitIndex { throw ToolError("\(place) regresses commit index from \(commitIndex) to \(index)") }
    if index >= logEnd {
      throw ToolError("\(place) advances commit index to \(index) but last log index is \(logEnd - 1)")
    }
    commitIndex = index
    commits[term] = index
  }

  private mutating func append(_ entry: ClusterEntry, term: UInt64, number: Int) throws(ToolError) -> String? {
    let place = "\(path): record \(number)"
    if entry.index > logEnd {
      throw ToolError("\(place) with index \(entry.index) skips past expected index \(logEnd)")
    }
    let note = entry.index < logEnd ? try truncate(to: entry.index, place) : nil
    if term < lastTerm {
      throw ToolError("\(place) with index \(entry.index) term \(term) precedes previous entry's term \(lastTerm)")
    }
    var writer = ByteWriter(capacity: 256)
    entry.write(term: term, to: &writer)
    entries.append(Entry(term: term, digest: writer.withBytes { SHA1Digest(of: $0) }, record: number))
    return note
  }

  private mutating func truncate(to index: UInt64, _ place: String) throws(ToolError) -> String {
    let what = "log from \(logEnd) to \(index) entries"
    if leader?.leader == header.serverID { throw ToolError("\(place) truncates \(what) while server is leader") }
    // What is committed is never replaced. (3.1.0 lets the last committed entry go.)
    if index <= commitIndex {
      throw ToolError("\(place) attempts to truncate \(what), but commit index is already \(commitIndex)")
    }
    entries.removeLast(Int(logEnd - index))
    return "\(place) truncates \(what)"
  }

  /// Reads an entry again, for people to see.
  func text(of entry: Entry) throws(ToolError) -> String {
    var text: String?
    try ClusterFile.forEachRecord(of: path) { (root, number) throws(ToolError) in
      guard number == entry.record else { return }
      let record = try ToolError.parsing { () throws(OVSDBError) in try ClusterRecord(json: root) }
      guard case .entry(let content) = record.content else { return }
      var writer = ByteWriter(capacity: 256)
      content.write(term: record.term, to: &writer)
      text = writer.string
    }
    guard let text else { throw ToolError("\(path): the file changed while it was read") }
    return text
  }
}
