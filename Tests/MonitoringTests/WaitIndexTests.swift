// SPDX-License-Identifier: Apache-2.0
//
// Blocked transactions are found when a commit may make them possible: at least those that running all of them again would find, and
// exactly those whose rows the commit touches, at the cost of what is found.

import Engine
import FuzzTargets
import JSON
import OVSDB
import TestSupport
import Testing

@testable import Monitoring

@Suite struct WaitIndexTests {
  private final class Waiter {
    let document: JSONDocument
    var reads: ReadSet
    var watched: [WatchedRows<Waiter>] = []

    init(_ document: JSONDocument, _ reads: ReadSet) { (self.document, self.reads) = (document, reads) }
  }

  private struct World {
    let database: Database
    var index = WaitIndex<Waiter>()
    var waiters: [Waiter] = []
    var text: ConditionText

    init(seed: UInt64) throws {
      database = try makeDatabase("{\(ConditionText.table)}", seed: seed)
      text = ConditionText(seed: seed)
    }

    /// What running a transaction on the present contents comes to: what it read if it is blocked. Nothing is changed.
    func reads(of document: JSONDocument) -> ReadSet? {
      var writer = ByteWriter()
      let copy = Database(database.snapshot, random: RandomSource(seed: 1))
      guard case .blocked(_, let reads) = document.withRoot({ copy.transact(params: $0, context: TransactionContext(), into: &writer) })
      else { return nil }
      return reads
    }

    mutating func file(_ waiter: Waiter, _ reads: ReadSet) {
      if !waiter.watched.isEmpty { index.remove(waiter.watched) }
      waiter.reads = reads
      waiter.watched = index.add(waiter, reads)
    }

    mutating func drop(_ waiter: Waiter) {
      index.remove(waiter.watched)
      waiters.removeAll { $0 === waiter }
    }

    private mutating func uuid() -> String { ConditionText.uuid(text.random.below(8)) }

    /// An operation before the wait, or one that changes rows.
    mutating func change() -> String {
      let condition = text.random.chance(50) ? #"[["_uuid","==",["uuid","\#(uuid())"]]]"# : text.condition(clausesMax: 3)
      switch text.random.below(4) {
      case 0: return #"{"op":"delete","table":"T","where":\#(condition)}"#
      case 1: return #"{"op":"insert","table":"T","uuid":"\#(uuid())","row":{\#(text.row())}}"#
      case 2: return #"{"op":"mutate","table":"T","where":\#(condition),"mutations":[["i","+=",1],["is","insert",4]]}"#
      default: return #"{"op":"update","table":"T","where":\#(condition),"row":{\#(text.someColumns())}}"#
      }
    }

    mutating func wait() -> String {
      let columns = text.random.chance(70) ? #","columns":["\#(text.random.pick(ConditionText.columns).name)"]"# : ""
      let rows = text.random.chance(50) ? "" : "{\(text.someColumns())}"
      let until = text.random.pick(["==", "!="])
      return #"{"op":"wait","table":"T","where":\#(text.condition(clausesMax: 4))\#(columns),"until":"\#(until)","rows":[\#(rows)]}"#
    }
  }

  /// Waits come, and rows change.
  @Test(arguments: 0..<40 as Range<UInt64>)
  func itFindsWhatRunningAllAgainWouldFind(_ seed: UInt64) throws {
    var world = try World(seed: seed)
    var (metCount, spared) = (0, 0)
    for step in 0..<150 {
      if world.waiters.count < 30 {
        let before = (0..<world.text.random.below(3)).map { _ in world.text.random.chance(70) ? world.change() : world.wait() }
        let document = try JSONDocument.parse("[\"db\",\((before + [world.wait()]).joined(separator: ","))]")
        if let reads = world.reads(of: document) {
          let waiter = Waiter(document, reads)
          world.waiters.append(waiter)
          world.file(waiter, reads)
        }
      }
      let operations = world.change()
      guard let commit = try? world.database.run(operations) else { continue }
      var work = 0
      let touched = world.index.touched(by: commit, work: &work)
      let found = Set(touched.map(ObjectIdentifier.init))
      #expect(found.count == touched.count, "seed \(seed) step \(step): found twice")
      for waiter in world.waiters {
        let isFound = found.contains(ObjectIdentifier(waiter))
        if isFound != waiter.reads.isTouched(by: commit) {
          Issue.record("seed \(seed) step \(step): found: \(isFound), \(waiter.document.root.text()) after \(operations)")
        }
        let reads = world.reads(of: waiter.document)
        if !isFound, reads?.position != waiter.reads.position {
          Issue.record("seed \(seed) step \(step): not found: \(waiter.document.root.text())")
        }
        spared += isFound ? 0 : 1
        guard isFound else { continue }
        if let reads { world.file(waiter, reads) } else { world.drop(waiter) }
        metCount += reads == nil ? 1 : 0
      }
    }
    #expect(metCount > 5 && spared > 100, "\(metCount) \(spared)")
  }

  /// Ten thousand waits, each for a row of its own, do not make a commit of another row dearer.
  @Test(arguments: [#"["i","==",N]"#, #"["_uuid","==",["uuid","00000000-0000-4000-8000-0000000NNNNN"]]"#, #"["is","includes",N]"#, #"["i",">",N]"#])
  func aCommitCostsWhatItTouches(clause: String) throws {
    var world = try World(seed: 1)
    for number in 10_000..<20_000 {
      let own = clause.replacing("NNNNN", with: "\(number)").replacing("N", with: "\(number)")
      let document = try JSONDocument.parse(#"["db",{"op":"wait","table":"T","where":[\#(own)],"columns":[],"until":"!=","rows":[]}]"#)
      let waiter = Waiter(document, try #require(world.reads(of: document)))
      world.waiters.append(waiter)
      world.file(waiter, waiter.reads)
    }
    let commit = try #require(try world.database.run(#"{"op":"insert","table":"T","row":{"i":1,"is":["set",[1,2,3]],"ss":"a","um":\#(Self.map)}}"#))
    var work = 0
    #expect(world.index.touched(by: commit, work: &work).isEmpty)
    #expect(work < 20, "\(work) steps")
    let met = try #require(try world.database.run(#"{"op":"insert","table":"T","row":{"i":10001,"is":10001,"ss":"a","um":\#(Self.map)}}"#))
    if !clause.contains("_uuid") { #expect(!world.index.touched(by: met, work: &work).isEmpty) }
  }

  private static let map = #"["map",[[["uuid","\#(ConditionText.uuid(1))"],["uuid","\#(ConditionText.uuid(2))"]]]]"#
}
