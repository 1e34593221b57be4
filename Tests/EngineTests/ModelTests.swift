// SPDX-License-Identifier: Apache-2.0
//
// Random transactions against the model of Model.swift.

import Engine
import JSON
import OVSDB
import Testing

@Suite struct ModelTests {
  /// RFC 7047 §5.2 and §3.2: every reply, every final state and every refusal is the model's; what is undone is gone.
  @Test(arguments: 0..<40 as Range<UInt64>)
  func randomTransactionsDoWhatTheModelDoes(_ seed: UInt64) throws {
    let database = try makeDatabase(Model.schema, seed: seed)
    var operations = RandomOperations(seed: seed)
    var committed = 0
    for step in 0..<150 {
      let before = operations.model
      operations.base = before
      var texts: [String] = []
      var expected: [String] = []
      var fails = false
      // Now and then a large one, whose bookkeeping is hashed instead of looked through.
      let count = Int.random(in: 1...(step % 10 == 9 ? 30 : 5), using: &operations.generator)
      while texts.count < count, !fails {
        let (text, result) = operations.next()
        texts.append(text)
        if let result { expected.append(result) } else { fails = true }
      }
      let id = database.lastCommitID
      let contents = database.contents
      let result = try database.run(texts.joined(separator: ","))
      let errors = fails ? [] : operations.model.commit(before: before)
      let comment: Comment = "seed \(seed), step \(step): \(texts.joined(separator: "\n"))\n\(result.text)"

      if fails || !errors.isEmpty {
        operations.model = before
        #expect(database.contents == contents, comment)
        guard case .failed = result.outcome else {
          Issue.record(comment)
          return
        }
        if let tag = try result.errorTag, !fails { #expect(errors.contains(tag), comment) }
      } else {
        committed += 1
        #expect(result.text == "[\(expected.joined(separator: ","))]", comment)
      }
      let faults = database.checkInvariants()
      guard faults.isEmpty, state(of: database) == operations.model.tables else {
        Issue.record("\(faults) \(comment)")
        return
      }
      if step % 2 == 0, let commit = result.commit { try takeBackAndRepeat(commit, database, contents, id) }
    }
    #expect(committed > 20)
  }

  private func takeBackAndRepeat(_ commit: Commit, _ database: Database, _ before: [String], _ id: UUID) throws {
    let (after, newID) = (database.contents, database.lastCommitID)
    #expect(newID == commit.id)
    database.undo(commit, previousID: id)
    #expect(database.contents == before)
    #expect(database.checkInvariants().isEmpty)
    #expect(database.lastCommitID == id)
    database.apply(commit)
    #expect(database.contents == after)
    #expect(database.checkInvariants().isEmpty)
  }

  private func state(of database: Database) -> [String: [UUID: ModelRow]] {
    var state: [String: [UUID: ModelRow]] = [:]
    for table in database.tables {
      var rows: [UUID: ModelRow] = [:]
      for (uuid, row) in table.rows {
        var values: ModelRow = [:]
        for column in table.schema.columns { values[column.name] = value(row[column], column.type) }
        rows[uuid] = values
      }
      state[table.schema.name] = rows
    }
    return state
  }

  private func value(_ datum: Datum, _ type: ColumnType) -> ModelValue {
    func integer(_ atom: Atom) -> Int { if case .integer(let value) = atom { Int(value) } else { .min } }
    func uuid(_ atom: Atom) -> UUID { if case .uuid(let value) = atom { value } else { .zero } }
    let keys = datum.keys(of: type.key.type)
    let atoms = (0..<keys.count).map { keys[$0] }
    if type.isMap {
      guard case .map(let map) = datum else { return .named([:]) }
      return .named(Dictionary(uniqueKeysWithValues: (0..<map.count).map { (integer(map.keys[$0]), uuid(map.values[$0])) }))
    }
    if type.isScalar { return .number(atoms.first.map(integer) ?? .min) }
    return type.key.type == .uuid ? .rows(Set(atoms.map(uuid))) : .numbers(Set(atoms.map(integer)))
  }
}
