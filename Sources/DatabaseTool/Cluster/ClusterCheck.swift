// SPDX-License-Identifier: Apache-2.0
//
// `check-cluster`: whether the files of a cluster's members can be those of one cluster. What must hold are the promises of the
// Raft algorithm (Ongaro, Ousterhout: "In Search of an Understandable Consensus Algorithm", figure 3):
//
//   1. a term has one leader                                                     leaders()
//   2. a leader never replaces entries of its own log                            ClusterMember.truncate
//   3. entries with equal index and term are equal, and so is all before them    matching()
//   4. a leader has all entries that were committed in earlier terms             completeness()
//   5. entries that two servers know to be committed are equal                   committed()
//
// 3.1.0 checks 1 to 4.

import Daemon
import Glibc
import JSON
import Journal
import OVSDB

struct ClusterCheck {
  private var members: [ClusterMember] = []

  /// Examines the files named; what is found and is no error goes to standard output.
  ///
  /// - Returns: success, when nothing contradicts.
  @Sendable static func run(_ invocation: Invocation) throws(ToolError) -> Int32 {
    try examine(invocation.arguments) { note in ProgressMeter.aside { Program.writeOutput("\(note)\n") } }
    return EXIT_SUCCESS
  }

  /// - Parameter tell: gets what is found and is no error.
  /// - Throws: what contradicts.
  static func examine(_ paths: [String], tell: (String) -> Void) throws(ToolError) {
    var check = ClusterCheck()
    for path in paths { try check.addMember(path, tell) }
    for index in check.members.indices { try check.readLog(index, tell) }
    try check.leaders()
    if check.members.allSatisfy(\.isEmpty) { throw ToolError("all logs are empty") }
    try check.matching()
    try check.completeness()
    try check.committed()
  }

  // MARK: - Reading

  private mutating func addMember(_ path: String, _ tell: (String) -> Void) throws(ToolError) {
    var reader = try ClusterFile.open(path)
    let document = try ToolError.wrapping { () throws(LogError) in
      guard let record = try reader.next() else { throw LogError(.ovsdbError, "\(path): cannot identify file type") }
      return try record.document(of: path)
    }
    defer { withExtendedLifetime(document) {} }
    let header = try ToolError.parsing { () throws(OVSDBError) in try ClusterHeader(json: document.root) }
    if let snapshot = header.snapshot { try ClusterFile.checkRoom(behind: snapshot, path) }
    guard let member = ClusterMember(path: path, header: header) else {
      return tell("\(path) has not joined the cluster, omitting")
    }
    if let other = members.first(where: { $0.header.serverID == header.serverID }) {
      throw ToolError("Duplicate server ID \(ClusterFile.short(header.serverID)) in \(path) and \(other.path).")
    }
    if let first = members.first { try Self.compare(first, member) }
    members.append(member)
  }

  private static func compare(_ first: ClusterMember, _ member: ClusterMember) throws(ToolError) {
    let (id, otherID) = (first.header.clusterID ?? "", member.header.clusterID ?? "")
    if id != otherID {
      throw ToolError(
        "\(first.path) has cluster ID \(ClusterFile.short(id)) but \(member.path) has cluster ID \(ClusterFile.short(otherID))")
    }
    if first.header.name != member.header.name {
      throw ToolError("\(first.path) is named \"\(first.header.name)\" but \(member.path) is named \"\(member.header.name)\"")
    }
  }

  private mutating func readLog(_ index: Int, _ tell: (String) -> Void) throws(ToolError) {
    var member = members[index]
    let meter = ToolProgress.meter("check-cluster", path: member.path)
    defer { meter.finish() }
    try ClusterFile.forEachRecord(of: member.path, meter: meter) { (root, number) throws(ToolError) in
      if number == 0 { return }
      let record = try ToolError.parsing { () throws(OVSDBError) in try ClusterRecord(json: root) }
      if let note = try member.add(record, number: number, nameOf: name) { tell(note) }
    }
    members[index] = member
  }

  /// The file of a server, when it is among those examined, or the beginning of its id.
  private func name(_ server: String) -> String {
    members.first { $0.header.serverID == server }?.path ?? ClusterFile.short(server)
  }

  // MARK: - Holding against each other

  private func leaders() throws(ToolError) {
    var known: [UInt64: (leader: String, path: String)] = [:]
    for member in members {
      for (term, leadership) in member.leaderships.sorted(by: { $0.key < $1.key }) {
        guard let other = known[term] else {
          known[term] = (leadership.leader, member.path)
          continue
        }
        if other.leader == leadership.leader { continue }
        throw ToolError(
          """
          term \(term) has two different leaders: \(other.path) says that the leader is \(name(other.leader)) and \(member.path) \
          says that the leader is \(name(leadership.leader))
          """)
      }
    }
  }

  /// Calls `body` for every two members.
  private func forEachPair(_ body: (ClusterMember, ClusterMember) throws(ToolError) -> Void) throws(ToolError) {
    for (position, first) in members.enumerated() {
      for second in members[(position + 1)...] { try body(first, second) }
    }
  }

  private func matching() throws(ToolError) {
    try forEachPair { (first, second) throws(ToolError) in
      let start = max(first.logStart, second.logStart)
      var index = min(first.logEnd, second.logEnd)
      var mustMatch = false
      while index > start {
        index -= 1
        guard let a = first.entry(at: index), let b = second.entry(at: index) else { return }
        mustMatch = mustMatch || a.term == b.term
        guard mustMatch, a.digest != b.digest else { continue }
        throw ToolError(
          """
          log entries with index \(index) differ:
          \(first.path) has \(try first.text(of: a))
          \(second.path) has \(try second.text(of: b))
          """)
      }
    }
  }

  private func completeness() throws(ToolError) {
    for leader in members {
      for (term, leadership) in leader.leaderships.sorted(by: { $0.key < $1.key })
      where leadership.leader == leader.header.serverID {
        for member in members {
          let committed = member.commits.filter { $0.key < term }.values.max() ?? 0
          guard committed >= leadership.logEnd else { continue }
          throw ToolError(
            """
            leader \(leader.path) for term \(term) has log entries only up to index \(leadership.logEnd - 1), but index \(committed) \
            was committed in a previous term (e.g. by \(member.path))
            """)
        }
      }
    }
  }

  private func committed() throws(ToolError) {
    try forEachPair { (first, second) throws(ToolError) in
      let start = max(first.logStart, second.logStart)
      let last = min(first.commitIndex, second.commitIndex)
      guard start <= last else { return }
      for index in start...last {
        guard let a = first.entry(at: index), let b = second.entry(at: index), a.digest != b.digest else { continue }
        throw ToolError(
          """
          index \(index) is committed with an entry of term \(a.term) in \(first.path) but with one of term \(b.term) in \
          \(second.path)
          """)
      }
    }
  }
}
