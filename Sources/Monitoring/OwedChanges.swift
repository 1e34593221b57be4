// SPDX-License-Identifier: Apache-2.0
//
// What a client is told of changes: those of a large commit, or the sum of all since it stopped reading. It is written piece by piece, on
// any thread, and a copy remembers the place that it came to.

import Engine
import HashTreeCollections
import JSON
import OVSDB

/// A message that is made piece by piece. A copy of it goes on from where it is.
package protocol MessagePieces: Sendable {
  /// Does what has to be done once before the first piece; later calls do nothing.
  mutating func prepare()
  /// Appends from where the last call ended, until the writer holds `sizeMax` bytes, enough was looked at, or everything is written.
  ///
  /// - Parameter looks: grows by the values that were looked at; a piece ends when it grew by `PieceLimits.looksMax`, unless `sizeMax`
  ///   is `Int.max`.
  /// - Returns: whether there is more.
  mutating func writePiece(until sizeMax: Int, looks: inout Int, to writer: inout ByteWriter) -> Bool
}

/// What ends a piece however little was written.
enum PieceLimits {
  static let looksMax = 100_000
}

/// Changes of rows, to be written as `<table-updates>`; nothing at all when there are none.
package struct OwedChanges: MessagePieces {
  private let specification: MonitorSpecification
  private var source: Source
  private var updates: TableUpdatesWriter
  /// The position in the specification's tables, and how far that table is done.
  private var table = 0
  private var stage = Stage.present
  private var next = 0
  private var row: TreeDictionary<UUID, Row>.Index?

  /// Where the changes come from.
  private enum Source {
    /// Listed, by position in the specification's tables.
    case listed([[OwedChange]])
    /// Added up by `prepare`.
    case commits([Commit])
    /// The rows of two moments.
    case states(Place, Snapshot)
  }

  /// The rows of two moments in two parts: those that are there now, and those that are gone.
  private enum Stage { case present, gone }

  private init(_ source: Source, _ specification: MonitorSpecification, _ format: UpdateFormat) {
    self.source = source
    self.specification = specification
    updates = TableUpdatesWriter(format: format)
  }

  /// The sum of commits, oldest first.
  package init(_ commits: [Commit], of specification: MonitorSpecification, format: UpdateFormat) {
    self.init(.commits(commits), specification, format)
  }

  /// What has changed since a client stopped reading.
  ///
  /// - Parameters:
  ///   - place: what the client knows.
  ///   - commits: those from there on, when they are remembered.
  ///   - current: the database as the client shall know it.
  init(
    since place: Place, commits: [Commit]?, current: Snapshot, of specification: MonitorSpecification, format: UpdateFormat
  ) {
    let compared = specification.rowsToCompare(place, current)
    guard let commits, specification.changeCount(of: commits) <= compared else {
      self.init(.states(place, current), specification, format)
      return
    }
    self.init(.commits(commits), specification, format)
  }

  /// What of one commit concerns a monitor.
  init(_ changes: [GroupChange], of specification: MonitorSpecification, format: UpdateFormat) {
    var listed = specification.tables.map { _ in [OwedChange]() }
    for change in changes { listed[change.position].append(change.change) }
    self.init(.listed(listed), specification, format)
  }

  /// Rows that enter and leave by new conditions: `MonitorSpecification.conditionChange`.
  package init(
    _ changes: [(OwedChange, MonitoredTable)], of specification: MonitorSpecification, format: UpdateFormat
  ) {
    var everything = specification
    for position in everything.tables.indices { everything.tables[position].condition = .everything }
    var listed = specification.tables.map { _ in [OwedChange]() }
    for (change, table) in changes {
      guard let position = everything.tables.firstIndex(where: { $0.table === table.table }) else { continue }
      listed[position].append(change)
    }
    self.init(.listed(listed), everything, format)
  }

  /// Whether nothing has been written so far.
  package var isEmpty: Bool { updates.isEmpty }

  /// An upper bound of the rows that have to be looked at.
  package var rowCountMax: Int {
    switch source {
    case .listed(let listed): listed.reduce(0) { $0 + $1.count }
    case .commits(let commits): specification.changeCount(of: commits)
    case .states(let place, let current): specification.rowsToCompare(place, current)
    }
  }

  package mutating func prepare() {
    guard case .commits(let commits) = source else { return }
    source = .listed(specification.sum(of: commits))
  }

  package mutating func writePiece(until sizeMax: Int, looks: inout Int, to writer: inout ByteWriter) -> Bool {
    prepare()
    let end = sizeMax == .max ? Int.max : looks + PieceLimits.looksMax
    while table < specification.tables.count {
      guard write(specification.tables[table], sizeMax, &looks, end, &writer) else { return true }
      table += 1
      stage = .present
      next = 0
    }
    if !isEmpty { updates.finish(&writer) }
    return false
  }

  /// Writes everything at once over what the writer holds, if it is little; nothing when there are no changes.
  ///
  /// - Returns: whether it is little. If not, the writer is empty.
  package func write(rowsMax: Int, bytesMax: Int, to writer: inout ByteWriter) -> Bool {
    guard rowCountMax <= rowsMax else { return false }
    var changes = self
    var looks = 0
    writer.removeAll()
    let hasMore = changes.writePiece(until: bytesMax, looks: &looks, to: &writer)
    // The last row may be larger than all that was expected.
    guard !hasMore, writer.count <= bytesMax else {
      writer = ByteWriter()
      return false
    }
    return true
  }

  /// - Returns: whether the table is done.
  private mutating func write(
    _ monitored: MonitoredTable, _ sizeMax: Int, _ looks: inout Int, _ end: Int, _ writer: inout ByteWriter
  ) -> Bool {
    switch source {
    case .listed(let listed): return write(listed[table], of: monitored, sizeMax, &looks, end, &writer)
    // `prepare` has listed them.
    case .commits: return true
    case .states(let place, let current):
      let now = current.tables[monitored.table.index]
      if place.isCurrent(now) { return true }
      return write(place.rows(of: monitored.table.index), now.rows, of: monitored, sizeMax, &looks, end, &writer)
    }
  }

  private mutating func write(
    _ changes: [OwedChange], of monitored: MonitoredTable, _ sizeMax: Int, _ looks: inout Int, _ end: Int, _ writer: inout ByteWriter
  ) -> Bool {
    while next < changes.count {
      guard writer.count < sizeMax, looks < end else { return false }
      looks += monitored.looksPerRow
      updates.write(changes[next], of: monitored, to: &writer)
      next += 1
    }
    return true
  }

  private mutating func write(
    _ base: TreeDictionary<UUID, Row>, _ now: TreeDictionary<UUID, Row>, of monitored: MonitoredTable, _ sizeMax: Int, _ looks: inout Int,
    _ end: Int, _ writer: inout ByteWriter
  ) -> Bool {
    if stage == .present {
      let isDone = scan(now, sizeMax, &looks, end, &writer) { uuid, row, updates, looks, writer in
        let old = base[uuid]
        guard old !== row else { return }
        looks += monitored.looksPerRow
        updates.write(OwedChange(uuid: uuid, old: old, new: row), of: monitored, to: &writer)
      }
      guard isDone else { return false }
      stage = .gone
    }
    return scan(base, sizeMax, &looks, end, &writer) { uuid, row, updates, looks, writer in
      guard now[uuid] == nil else { return }
      looks += monitored.looksPerRow
      updates.write(OwedChange(uuid: uuid, old: row, new: nil), of: monitored, to: &writer)
    }
  }

  /// - Returns: whether all rows were looked at.
  private mutating func scan(
    _ rows: TreeDictionary<UUID, Row>, _ sizeMax: Int, _ looks: inout Int, _ end: Int, _ writer: inout ByteWriter,
    _ body: (UUID, Row, inout TableUpdatesWriter, inout Int, inout ByteWriter) -> Void
  ) -> Bool {
    var place = row ?? rows.startIndex
    while place != rows.endIndex {
      guard writer.count < sizeMax, looks < end else {
        row = place
        return false
      }
      looks += 1
      let (uuid, value) = rows[place]
      body(uuid, value, &updates, &looks, &writer)
      rows.formIndex(after: &place)
    }
    row = nil
    return true
  }
}

extension MonitorSpecification {
  /// Rows that commits change in the monitored tables, each counted once for each commit.
  fileprivate func changeCount(of commits: [Commit]) -> Int {
    commits.reduce(0) { sum, commit in
      sum + commit.tables.reduce(0) { $0 + (table($1.table.index) == nil ? 0 : $1.rows.count) }
    }
  }

  /// Rows to be looked at when the states of two moments are compared.
  fileprivate func rowsToCompare(_ place: Place, _ current: Snapshot) -> Int {
    tables.reduce(0) { sum, table in
      let now = current.tables[table.table.index]
      return place.isCurrent(now) ? sum : sum + now.rows.count + place.rows(of: table.table.index).count
    }
  }

  /// What commits come to, row by row. A row that is as it was is left out, so is a change between two states that the condition hides.
  fileprivate func sum(of commits: [Commit]) -> [[OwedChange]] {
    tables.map { monitored in
      var sum: [UUID: OwedChange] = [:]
      for commit in commits {
        guard let changes = commit.tables.first(where: { $0.table === monitored.table }) else { continue }
        for change in changes.rows {
          let known = sum[change.uuid]
          guard known != nil || monitored.concerns(change) else { continue }
          sum[change.uuid] = OwedChange(uuid: change.uuid, old: known.map(\.old) ?? change.old, new: change.new)
        }
      }
      return sum.values.filter { $0.old !== $0.new }
    }
  }
}
