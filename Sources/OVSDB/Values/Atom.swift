// SPDX-License-Identifier: Apache-2.0
//
// Atoms, one value of one of the five basic types, and arrays of atoms of one type: the building stones of `Datum`.

/// The five types of RFC 7047 §3.2 (`<atomic-type>`).
package enum AtomicType: UInt8, Sendable {
  case integer, real, boolean, string, uuid

  package var name: String {
    switch self {
    case .integer: "integer"
    case .real: "real"
    case .boolean: "boolean"
    case .string: "string"
    case .uuid: "uuid"
    }
  }

  package init?(name: String) {
    switch name {
    case "integer": self = .integer
    case "real": self = .real
    case "boolean": self = .boolean
    case "string": self = .string
    case "uuid": self = .uuid
    default: return nil
    }
  }

  package var defaultAtom: Atom {
    switch self {
    case .integer: .integer(0)
    case .real: .real(0)
    case .boolean: .boolean(false)
    case .string: .string(.empty)
    case .uuid: .uuid(.zero)
    }
  }
}

/// A type of atom in the order of the protocol (Documentation/protocol/values.md#order).
package protocol AtomElement: Hashable, Sendable {
  static func precedes(_ a: Self, _ b: Self) -> Bool
}

extension Int64: AtomElement {
  package static func precedes(_ a: Int64, _ b: Int64) -> Bool { a < b }
}
extension Double: AtomElement {
  package static func precedes(_ a: Double, _ b: Double) -> Bool { a < b }
}
extension Bool: AtomElement {
  package static func precedes(_ a: Bool, _ b: Bool) -> Bool { !a && b }
}
extension Text: AtomElement {
  package static func precedes(_ a: Text, _ b: Text) -> Bool { a < b }
}
extension UUID: AtomElement {
  package static func precedes(_ a: UUID, _ b: UUID) -> Bool { a < b }
}

/// One value of an atomic type.
package enum Atom: Hashable, Sendable {
  case integer(Int64)
  case real(Double)
  case boolean(Bool)
  case string(Text)
  case uuid(UUID)

  package var type: AtomicType {
    switch self {
    case .integer: .integer
    case .real: .real
    case .boolean: .boolean
    case .string: .string
    case .uuid: .uuid
    }
  }
}

/// Atoms of one type. Inside a `Datum` they are sorted and distinct.
package enum AtomArray: Hashable, Sendable {
  case integers([Int64])
  case reals([Double])
  case booleans([Bool])
  case strings([Text])
  case uuids([UUID])

  /// An empty array for atoms of a type.
  package init(of type: AtomicType, capacity: Int = 0) {
    func make<E>() -> [E] {
      var array: [E] = []
      array.reserveCapacity(capacity)
      return array
    }
    switch type {
    case .integer: self = .integers(make())
    case .real: self = .reals(make())
    case .boolean: self = .booleans(make())
    case .string: self = .strings(make())
    case .uuid: self = .uuids(make())
    }
  }

  package var count: Int {
    switch self {
    case .integers(let array): array.count
    case .reals(let array): array.count
    case .booleans(let array): array.count
    case .strings(let array): array.count
    case .uuids(let array): array.count
    }
  }

  package subscript(position: Int) -> Atom {
    switch self {
    case .integers(let array): .integer(array[position])
    case .reals(let array): .real(array[position])
    case .booleans(let array): .boolean(array[position])
    case .strings(let array): .string(array[position])
    case .uuids(let array): .uuid(array[position])
    }
  }

  /// Appends an atom of the array's own type.
  ///
  /// An atom of another type is a programmer's error: columns are typed before their atoms are gathered.
  package mutating func append(_ atom: Atom) {
    // The array is taken out of `self` while it grows: shared with `self` it would be copied for each atom.
    switch atom {
    case .integer(let value):
      guard case .integers(var array) = exchange(with: .integers([])) else { mixed(atom) }
      array.append(value)
      self = .integers(array)
    case .real(let value):
      guard case .reals(var array) = exchange(with: .reals([])) else { mixed(atom) }
      array.append(value)
      self = .reals(array)
    case .boolean(let value):
      guard case .booleans(var array) = exchange(with: .booleans([])) else { mixed(atom) }
      array.append(value)
      self = .booleans(array)
    case .string(let value):
      guard case .strings(var array) = exchange(with: .strings([])) else { mixed(atom) }
      array.append(value)
      self = .strings(array)
    case .uuid(let value):
      guard case .uuids(var array) = exchange(with: .uuids([])) else { mixed(atom) }
      array.append(value)
      self = .uuids(array)
    }
  }

  @inline(__always)
  private mutating func exchange(with other: AtomArray) -> AtomArray {
    var other = other
    swap(&self, &other)
    return other
  }

  private func mixed(_ atom: Atom) -> Never {
    preconditionFailure("an atom of type \(atom.type) in an array of another type")
  }
}
