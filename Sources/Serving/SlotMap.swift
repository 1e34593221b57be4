// SPDX-License-Identifier: Apache-2.0
//
// Things that come and go, known by handles. Unlike an address, a handle is the same in every run that is given the same input, and
// unlike an index it never comes to mean something else.

/// Stands for something in a `SlotMap`. Equal handles of one map mean the same thing for ever; once it is gone they mean nothing.
@frozen
@usableFromInline package struct Handle<Tag>: Hashable, Sendable {
  @usableFromInline let index: UInt32
  /// How many things had the slot before.
  @usableFromInline let generation: UInt32

  @inlinable
  init(index: UInt32, generation: UInt32) {
    self.index = index
    self.generation = generation
  }

  /// The handle of nothing.
  @inlinable
  package static var none: Handle { Handle(index: .max, generation: .max) }
}

extension Handle: CustomStringConvertible {
  @usableFromInline package var description: String { self == .none ? "none" : "\(index).\(generation)" }
}

/// A map whose keys are handles that it gives out.
///
/// Invariants:
/// 1. `free` names exactly the slots that hold nothing and may be used again.
/// 2. A slot whose generations are used up is never used again.
@frozen
@usableFromInline package struct SlotMap<Tag, Element> {
  @frozen
  @usableFromInline struct Slot {
    @usableFromInline var generation: UInt32
    @usableFromInline var element: Element?

    @inlinable
    init(generation: UInt32, element: Element?) {
      self.generation = generation
      self.element = element
    }
  }

  @usableFromInline var slots: [Slot] = []
  /// The slot that was freed last is used first.
  @usableFromInline var free: [UInt32] = []
  @usableFromInline var used = 0

  @inlinable
  package init() {}

  @inlinable
  package var count: Int { used }

  @inlinable
  package var isEmpty: Bool { used == 0 }

  @inlinable
  package mutating func insert(_ element: Element) -> Handle<Tag> {
    used += 1
    if let index = free.popLast() {
      slots[Int(index)].element = element
      return Handle(index: index, generation: slots[Int(index)].generation)
    }
    precondition(slots.count < Int(UInt32.max), "\(slots.count) slots are in use, as many as handles can name")
    slots.append(Slot(generation: 0, element: element))
    return Handle(index: UInt32(slots.count - 1), generation: 0)
  }

  /// - Returns: what the handle stood for; nil when that is gone.
  @inlinable
  @discardableResult
  package mutating func remove(_ handle: Handle<Tag>) -> Element? {
    guard let element = self[handle] else { return nil }
    let index = Int(handle.index)
    slots[index].element = nil
    used -= 1
    if slots[index].generation < .max - 1 {
      slots[index].generation += 1
      free.append(handle.index)
    }
    return element
  }

  /// Nil when what the handle stood for is gone.
  @inlinable
  package subscript(handle: Handle<Tag>) -> Element? {
    let index = Int(handle.index)
    guard index < slots.count, slots[index].generation == handle.generation else { return nil }
    return slots[index].element
  }

  /// All elements in the order of their slots, which is the same in every run, but not that in which they came.
  @inlinable
  package var elements: [Element] { slots.compactMap(\.element) }
}
