// SPDX-License-Identifier: Apache-2.0
//
// The references in a value, and which of them a change adds or takes away.

/// A row named by a value.
package struct ReferenceTarget: Hashable, Sendable {
  package let tableIndex: Int
  package let uuid: UUID

  package init(tableIndex: Int, uuid: UUID) {
    self.tableIndex = tableIndex
    self.uuid = uuid
  }
}

extension Datum {
  /// Calls `body` for each reference of one strength that a change of a column adds (1) or takes away (-1).
  ///
  /// A row that a map's values name twice is told twice. What stays may be told as taken away and added again.
  ///
  /// - Complexity: for sets, one pass over the equal parts and a merge of what differs.
  package static func forEachReferenceChange(
    from old: Datum, to new: Datum, type: ColumnType, isStrong: Bool, _ body: (ReferenceTarget, Int) -> Void
  ) {
    if let reference = type.key.reference, reference.isStrong == isStrong {
      let table = reference.tableIndex
      forEachKeyChange(from: old, to: new) { uuid, delta in
        body(ReferenceTarget(tableIndex: table, uuid: uuid), delta)
      }
    }
    if let reference = type.value?.reference, reference.isStrong == isStrong {
      let table = reference.tableIndex
      for uuid in old.valueUUIDs { body(ReferenceTarget(tableIndex: table, uuid: uuid), -1) }
      for uuid in new.valueUUIDs { body(ReferenceTarget(tableIndex: table, uuid: uuid), 1) }
    }
  }

  /// Calls `body` for each row that a change of a column begins (1) or ceases (-1) to reference weakly, once for each row.
  package static func forEachReferrerChange(
    from old: Datum, to new: Datum, type: ColumnType, _ body: (ReferenceTarget, Int) -> Void
  ) {
    guard type.isMap else {
      forEachReferenceChange(from: old, to: new, type: type, isStrong: false, body)
      return
    }
    let (before, after) = (old.weakTargets(type), new.weakTargets(type))
    for target in before where !after.contains(target) { body(target, -1) }
    for target in after where !before.contains(target) { body(target, 1) }
  }

  private func weakTargets(_ type: ColumnType) -> Set<ReferenceTarget> {
    var targets: Set<ReferenceTarget> = []
    Self.forEachReferenceChange(from: .empty, to: self, type: type, isStrong: false) { target, _ in targets.insert(target) }
    return targets
  }

  /// Calls `body` for each uuid that is an element, or a key, on one side only.
  private static func forEachKeyChange(from old: Datum, to new: Datum, _ body: (UUID, Int) -> Void) {
    switch (old, new) {
    case (.empty, .empty): return
    case (.uuid(let uuid), .empty): body(uuid, -1)
    case (.empty, .uuid(let uuid)): body(uuid, 1)
    case (.uuid(let before), .uuid(let after)):
      guard before != after else { return }
      body(before, -1)
      body(after, 1)
    default:
      guard case .uuids(let before) = old.keys(of: .uuid), case .uuids(let after) = new.keys(of: .uuid) else { return }
      let (middle, otherMiddle) = before.differingMiddles(after)
      Array(before[middle]).merge(
        Array(after[otherMiddle]), onlySelf: { body($0, -1) }, onlyOther: { body($0, 1) }, both: { _ in })
    }
  }

  private var valueUUIDs: [UUID] {
    guard case .map(let pairs) = self, case .uuids(let uuids) = pairs.values else { return [] }
    return uuids
  }

  /// The value without the elements, or pairs, that weakly reference rows which do not exist.
  ///
  /// - Returns: nil when nothing has to go; else the rest and what was referenced.
  package func pruned(type: ColumnType, exists: (ReferenceTarget) -> Bool) -> (rest: Datum, lost: [UUID])? {
    let keyTable = type.key.reference.flatMap { $0.isStrong ? nil : $0.tableIndex }
    let valueTable = type.value?.reference.flatMap { $0.isStrong ? nil : $0.tableIndex }
    var lost: [UUID] = []
    func isLost(_ atom: Atom, _ table: Int?) -> Bool {
      guard let table, case .uuid(let uuid) = atom else { return false }
      return !exists(ReferenceTarget(tableIndex: table, uuid: uuid))
    }
    func note(_ atom: Atom) { if case .uuid(let uuid) = atom { lost.append(uuid) } }
    switch self {
    case .empty: return nil
    case .map(let pairs):
      let rest = pairs.filter { key, value in
        if isLost(key, keyTable) {
          note(key)
          return false
        }
        if isLost(value, valueTable) {
          note(value)
          return false
        }
        return true
      }
      return lost.isEmpty ? nil : (Datum(sorted: rest), lost)
    case .set(let atoms):
      let kept = (0..<atoms.count).filter { position in
        let atom = atoms[position]
        guard isLost(atom, keyTable) else { return true }
        note(atom)
        return false
      }
      return lost.isEmpty ? nil : (Datum(sorted: atoms.picking(kept)), lost)
    default:
      guard let atom = onlyAtom, isLost(atom, keyTable) else { return nil }
      note(atom)
      return (.empty, lost)
    }
  }
}
