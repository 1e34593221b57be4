// SPDX-License-Identifier: Apache-2.0
//
// What a blocked transaction read up to the `wait` that is not met. While no commit touches that, running the transaction again would
// come to the same: a row that no condition selects, neither as it was nor as it is, is no part of any operation.

import JSON
import OVSDB

/// The rows that a blocked transaction depends on.
package struct ReadSet: Sendable {
  /// Rows of one table.
  package struct Rows: Sendable {
    package let table: TableSchema
    /// The clause that selects the fewest rows, as far as one can tell without looking; nil: all rows.
    package let clause: Clause?
    private let condition: PreparedCondition?
    /// The columns that matter in rows that stay selected; nil: all.
    private let columns: ColumnSet?

    /// - Parameter columns: what is looked at in a selected row, nil: all of it.
    init(_ table: TableSchema, _ condition: Condition? = nil, columns: [ColumnSchema]? = nil) {
      self.table = table
      // A condition with fewer clauses selects more.
      let clauses = (condition?.clauses ?? []).lazy.filter { !Alternatives(Condition(clauses: [$0])).isAlways }.prefix(Self.clausesMax)
      clause = clauses.min { $0.width < $1.width }
      self.condition = clause == nil ? nil : PreparedCondition(Condition(clauses: Array(clauses)))
      self.columns = columns.flatMap { columns in
        // A row's version changes whenever anything does.
        columns.contains { $0.index < 0 && $0 !== ColumnSchema.uuid } ? nil : ColumnSet(columns.filter { $0.index >= 0 })
      }
    }

    private static let clausesMax = 8

    /// Whether the change of a row of the table can make a difference.
    package func isTouched(by change: RowChange) -> Bool {
      guard let old = change.old, let new = change.new else {
        return (change.old ?? change.new).map { condition?.holds(for: $0) ?? true } ?? false
      }
      let (was, isNow) = condition.map { ($0.holds(for: old), $0.holds(for: new)) } ?? (true, true)
      guard was, isNow else { return was || isNow }
      return columns.map { $0.intersects(change.changed) } ?? true
    }

    /// Whether changes of a table can make a difference to whoever reads all of its rows.
    ///
    /// - Parameters:
    ///   - changed: the columns that differ in any row.
    ///   - isGrown: rows were inserted or deleted.
    package func isTouched(columns changed: ColumnSet, isGrown: Bool) -> Bool {
      isGrown || columns.map { $0.intersects(changed) } ?? true
    }
  }

  package private(set) var rows: [Rows] = []
  /// The place of the `wait` among the operations: transactions of equal text that are blocked at the same one read the same.
  package let position: Int

  /// A transaction with more operations than that reads whole tables.
  private static let rowsMax = 32

  fileprivate init(position: Int) { self.position = position }

  fileprivate mutating func add(_ read: Rows) { rows.append(read) }

  /// Whether a commit can make a difference.
  package func isTouched(by commit: Commit) -> Bool {
    commit.tables.contains { table in
      rows.contains { read in read.table === table.table && table.rows.contains(where: read.isTouched) }
    }
  }

  fileprivate mutating func bound() {
    guard rows.count > Self.rowsMax else { return }
    var tables: [TableSchema] = []
    for read in rows where !tables.contains(where: { $0 === read.table }) { tables.append(read.table) }
    rows = tables.map { Rows($0) }
  }
}

extension Clause {
  /// How many rows it selects, compared with others.
  fileprivate var width: Int {
    switch self {
    case .constant: 0
    case .comparison(let column, .equal, _): column === ColumnSchema.uuid ? 1 : 2
    case .comparison(_, .includes, _): 3
    case .comparison(_, .less, _), .comparison(_, .lessOrEqual, _), .comparison(_, .greater, _), .comparison(_, .greaterOrEqual, _): 4
    case .comparison(_, .notEqual, _), .comparison(_, .excludes, _): 5
    }
  }
}

extension Transaction {
  /// What the operations up to a place read.
  func readSet(of params: JSONValue, upTo position: Int, count: Int) -> ReadSet {
    var reads = ReadSet(position: position)
    var writes = false
    for (place, operation) in params.elements.dropFirst().prefix(position).enumerated() {
      let members = OperationMembers(operation, position: place + 1, count: count)
      guard let name = members.op.flatMap({ OperationName($0) }) else { continue }
      writes = writes || !name.isReadOnly
      guard let table = members.table?.string.flatMap({ database.schema.table(named: $0) }) else { continue }
      switch name {
      case .insert:
        // The row of that name must not be there.
        if let uuid = members.uuid?.utf8.flatMap({ UUID(utf8: $0) }) {
          reads.add(ReadSet.Rows(table, Condition(clauses: [.comparison(.uuid, .equal, .uuid(uuid))])))
        }
      case .select, .update, .mutate, .delete, .wait:
        let columns = name == .wait ? members.columns.map { try? columnList($0, table) } ?? table.allColumns : nil
        let condition = members.condition.flatMap { try? Condition(json: $0, table: table, symbols: symbols) }
        reads.add(ReadSet.Rows(table, condition, columns: columns))
      case .commit, .abort, .comment, .assert: break
      }
    }
    if writes, role != nil {
      for name in ["RBAC_Role", "RBAC_Permission"] {
        if let table = database.schema.table(named: name) { reads.add(ReadSet.Rows(table)) }
      }
    }
    reads.bound()
    return reads
  }
}
