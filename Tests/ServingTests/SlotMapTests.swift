// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Serving

struct SlotMapTests {
  private enum Tag {}

  @Test func aHandleMeansOneThingForEver() {
    var map = SlotMap<Tag, String>()
    let first = map.insert("first")
    let second = map.insert("second")
    #expect(map[first] == "first" && map[second] == "second" && map.count == 2)
    let removed = map.remove(first)
    #expect(removed == "first")
    let third = map.insert("third")
    // The slot is used again, and the old handle does not lead to what is there now.
    #expect(third.index == first.index && third != first)
    let again = map.remove(first)
    #expect(map[first] == nil && again == nil)
    #expect(map[third] == "third" && map.elements == ["third", "second"] && map.count == 2)
  }

  @Test func theHandleOfNothingLeadsNowhere() {
    var map = SlotMap<Tag, Int>()
    #expect(map[.none] == nil)
    _ = map.insert(1)
    let removed = map.remove(.none)
    #expect(map[.none] == nil && removed == nil && map.count == 1)
  }

  @Test func aSlotIsGivenUpBeforeItsGenerationsRepeat() {
    var map = SlotMap<Tag, Int>()
    map.slots.append(SlotMap.Slot(generation: .max - 1, element: nil))
    map.free.append(0)
    let last = map.insert(1)
    #expect(last.index == 0 && last != .none)
    map.remove(last)
    let next = map.insert(2)
    #expect(next.index == 1 && map[last] == nil)
  }

  /// Whatever comes and goes, the map holds what a dictionary would.
  @Test(arguments: 0..<20)
  func itHoldsWhatADictionaryWould(_ seed: UInt64) {
    var state = seed
    func draw(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    var map = SlotMap<Tag, Int>()
    var model: [Handle<Tag>: Int] = [:]
    var gone: [Handle<Tag>] = []
    for step in 0..<500 {
      if draw(3) > 0 || model.isEmpty {
        let handle = map.insert(step)
        #expect(model[handle] == nil && !gone.contains(handle))
        model[handle] = step
      } else {
        let handle = model.keys.sorted { ($0.index, $0.generation) < ($1.index, $1.generation) }[draw(model.count)]
        let removed = map.remove(handle)
        #expect(removed == model.removeValue(forKey: handle))
        gone.append(handle)
      }
      #expect(map.count == model.count && map.isEmpty == model.isEmpty)
    }
    #expect(model.allSatisfy { map[$0.key] == $0.value } && gone.allSatisfy { map[$0] == nil })
    #expect(map.elements.sorted() == model.values.sorted())
  }
}
