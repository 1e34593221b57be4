// SPDX-License-Identifier: Apache-2.0
//
// Breaks JSON in one place: what a careless or hostile client may send, still JSON but no longer right.

import TestSupport

enum Mangler {
  /// One random change somewhere in the tree.
  static func mangle(_ value: WireJSON, _ random: inout SeededRandom) -> WireJSON {
    switch value {
    case .array(let elements) where !elements.isEmpty && random.chance(75):
      var changed = elements
      let index = random.below(elements.count)
      changed[index] = mangle(elements[index], &random)
      return .array(changed)
    case .object(let members) where !members.isEmpty && random.chance(75):
      var changed = members
      let index = random.below(members.count)
      changed[index].value = mangle(members[index].value, &random)
      return .object(changed)
    case .array(let elements) where random.chance(60): return .array(mangled(elements, &random))
    case .object(let members) where random.chance(60): return .object(mangled(members, &random))
    default: return stranger(to: value, &random)
    }
  }

  private static func mangled(_ elements: [WireJSON], _ random: inout SeededRandom) -> [WireJSON] {
    var changed = elements
    switch random.below(4) {
    case 0 where !changed.isEmpty: changed.remove(at: random.below(changed.count))
    case 1 where !changed.isEmpty: changed.append(random.pick(changed))
    case 2: changed.append(stranger(to: .null, &random))
    default: changed.reverse()
    }
    return changed
  }

  private static func mangled(_ members: [WireJSON.Member], _ random: inout SeededRandom) -> [WireJSON.Member] {
    var changed = members
    switch random.below(3) {
    case 0 where !changed.isEmpty: changed.remove(at: random.below(changed.count))
    case 1 where !changed.isEmpty:
      changed[random.below(changed.count)].name = random.pick(["zz", "where", "row", "_uuid", "_version", "", "a", "table"])
      var seen: Set<String> = []
      changed = changed.filter { seen.insert($0.name).inserted }
    default: if !changed.contains(where: { $0.name == "extra" }) { changed.append(.init("extra", 1)) }
    }
    return changed
  }

  private static func stranger(to value: WireJSON, _ random: inout SeededRandom) -> WireJSON {
    if case .string(let text) = value, random.chance(30) { return .string(text + "x") }
    let strangers: [WireJSON] = [
      nil, true, false, -1, 0, 7, .number("1.5"), .number("1e19"), "", "x", "two words", "9x", [], [[]], [1], ["set", []],
      ["set", [1, 1]], ["set", 1], ["map", []], ["map", [[1]]], ["map", [["a", "b"]]], ["uuid", "x"], ["uuid"],
      ["uuid", "00000000-0000-0000-0000-000000000000"], ["named-uuid", "9 9"], ["named-uuid", 1], [:],
      ["a": 1], "==", "insert", "D", "A", "_uuid", "_version",
    ]
    return random.pick(strangers)
  }

  /// A wait of a few milliseconds would be a race between two servers: such timeouts become zero.
  static func defuse(_ operation: WireJSON) -> WireJSON {
    guard case .object(var members) = operation, operation["op"]?.stringValue == "wait" else { return operation }
    for index in members.indices where members[index].name == "timeout" {
      if case .number(let token) = members[index].value, let number = Double(token), number > 0, number < 100_000 {
        members[index].value = 0
      }
    }
    return .object(members)
  }
}
