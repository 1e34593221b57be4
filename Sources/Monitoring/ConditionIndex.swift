// SPDX-License-Identifier: Apache-2.0
//
// Whose conditions a changed row fulfils. Conditions are filed by what they compare, so that a thousand clients with a thousand
// different conditions cost what those cost that the row fulfils.

import Engine
import OVSDB

/// The conditions on one table, each with its holder.
///
/// What it finds is exact: a holder is found for a state of a row if and only if the state fulfils its condition.
package struct ConditionIndex<Holder: ConditionHolder> {
  /// Holders that every row concerns.
  private var always = Interests<Holder>()
  private var columns: [ColumnConditions<Holder>] = []

  package init() {}

  package var isEmpty: Bool { always.isEmpty && columns.isEmpty }

  /// - Parameter position: where the table stands among the holder's; given back by `gather`.
  package mutating func add(_ holder: Holder, position: Int, _ alternatives: Alternatives) {
    let interest = Interest(holder: holder, position: position)
    if alternatives.isAlways { return always.add(interest) }
    for clauses in alternatives.columns {
      let place = columns.firstIndex { $0.column === clauses.column } ?? columns.count
      if place == columns.count { columns.append(ColumnConditions(clauses.column)) }
      columns[place].change(clauses) { interests in
        interests.add(interest)
        return true
      }
    }
  }

  package mutating func remove(_ holder: Holder, _ alternatives: Alternatives) {
    if alternatives.isAlways { return always.remove(holder) }
    for clauses in alternatives.columns {
      guard let place = columns.firstIndex(where: { $0.column === clauses.column }) else { continue }
      columns[place].change(clauses) { interests in
        interests.remove(holder)
        return !interests.isEmpty
      }
      if columns[place].isEmpty { columns.remove(at: place) }
    }
  }

  /// Finds the holders that a change concerns, each once; `ConditionHolder.matches` has the states that fulfil its condition.
  ///
  /// - Parameters:
  ///   - stamp: a number that was not given before.
  ///   - found: what is found is appended.
  ///   - work: grows by one for each look-up, each condition compared and each holder met.
  package func gather(_ change: RowChange, stamp: UInt64, into found: inout [Interest<Holder>], work: inout Int) {
    var states: RowStates = []
    if change.old != nil { states.insert(.old) }
    if change.new != nil { states.insert(.new) }
    var met = 0
    func meet(_ interests: Interests<Holder>, _ states: RowStates) {
      interests.forEach { interest in
        met += 1
        if interest.holder.note(states, stamp: stamp) { found.append(interest) }
      }
    }
    if !always.isEmpty { meet(always, states) }
    for column in columns {
      let old = change.old?[column.column]
      let new = change.new?[column.column]
      if let old, old == new {
        column.forEachHolding(for: old, work: &work) { meet($0, states) }
        continue
      }
      if let old { column.forEachHolding(for: old, work: &work) { meet($0, .old) } }
      if let new { column.forEachHolding(for: new, work: &work) { meet($0, .new) } }
    }
    work += met
  }
}

/// The conditions on one column.
private struct ColumnConditions<Holder: ConditionHolder> {
  let column: ColumnSchema
  private var equal: [Datum: Interests<Holder>] = [:]
  /// By the value that the column must not have: a value fulfils nearly all of them, so they are gone through.
  private var unequal: [Datum: Interests<Holder>] = [:]
  private var above = SortedCuts<Interests<Holder>>()
  private var below = SortedCuts<Interests<Holder>>()
  private var included: OperandConditions<Holder>
  private var excluded: OperandConditions<Holder>

  init(_ column: ColumnSchema) {
    self.column = column
    included = OperandConditions(ElementIndex(.includes, column: column))
    excluded = OperandConditions(ElementIndex(.excludes, column: column))
  }

  var isEmpty: Bool {
    equal.isEmpty && unequal.isEmpty && above.isEmpty && below.isEmpty && included.isEmpty && excluded.isEmpty
  }

  /// Lets `body` change the interests of each clause, and removes those for which it returns false.
  mutating func change(_ clauses: ColumnAlternatives, _ body: (inout Interests<Holder>) -> Bool) {
    for value in clauses.equal { Self.change(&equal, value, body) }
    if let value = clauses.unequal { Self.change(&unequal, value, body) }
    if let cut = clauses.above { above.update(cut, initial: Interests(), body) }
    if let cut = clauses.below { below.update(cut, initial: Interests(), body) }
    for operand in clauses.included { included.change(operand, body) }
    for operand in clauses.excluded { excluded.change(operand, body) }
  }

  private static func change(
    _ interests: inout [Datum: Interests<Holder>], _ value: Datum, _ body: (inout Interests<Holder>) -> Bool
  ) {
    if !body(&interests[value, default: Interests()]) { interests[value] = nil }
  }

  /// Calls `body` with the interests of each clause that a value fulfils.
  func forEachHolding(for datum: Datum, work: inout Int, _ body: (Interests<Holder>) -> Void) {
    if !equal.isEmpty {
      work += 1
      if let interests = equal[datum] { body(interests) }
    }
    for (value, interests) in unequal {
      work += 1
      if value != datum { body(interests) }
    }
    if !above.isEmpty, let cut = Cut.before(datum) {
      work += 1
      above.forEach(upTo: cut, body)
    }
    if !below.isEmpty, let cut = Cut.behind(datum) {
      work += 1
      below.forEach(from: cut, body)
    }
    included.forEachHolding(for: datum, work: &work, body)
    excluded.forEachHolding(for: datum, work: &work, body)
  }
}

/// The conditions that compare one column, which holds sets or maps, with operands by one function.
private struct OperandConditions<Holder: ConditionHolder> {
  private var index: ElementIndex
  /// By the operand's number in the index.
  private var interests: [Interests<Holder>] = []

  init(_ index: ElementIndex) { self.index = index }

  var isEmpty: Bool { index.isEmpty }

  mutating func change(_ operand: Datum, _ body: (inout Interests<Holder>) -> Bool) {
    let number = index.add(operand)
    while interests.count <= number { interests.append(Interests()) }
    if !body(&interests[number]) { index.remove(operand) }
  }

  func forEachHolding(for datum: Datum, work: inout Int, _ body: (Interests<Holder>) -> Void) {
    index.forEachHolding(for: datum, work: &work) { number in
      body(interests[number])
      return true
    }
  }
}
