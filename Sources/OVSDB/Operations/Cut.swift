// SPDX-License-Identifier: Apache-2.0
//
// Numbers as `<`, `<=`, `>` and `>=` compare them, and the places between numbers at which these functions divide them.

/// A number of a numeric column; both sides of a comparison come from one column and so are of one kind.
enum Number: Hashable {
  case integer(Int64)
  case real(Double)

  func order(_ other: Number) -> Int {
    switch (self, other) {
    case (.integer(let a), .integer(let b)): a < b ? -1 : a == b ? 0 : 1
    case (.real(let a), .real(let b)): a < b ? -1 : a == b ? 0 : 1
    case (.integer(let a), .real(let b)): Number.real(Double(a)).order(.real(b))
    case (.real(let a), .integer(let b)): Number.real(a).order(.real(Double(b)))
    }
  }
}

extension Datum {
  var number: Number? {
    switch self {
    case .integer(let value): .integer(value)
    case .real(let value): .real(value)
    default: nil
    }
  }
}

/// A place between numbers: directly before or directly behind one. `n > 5` and `n >= 5` hold for what is above a cut, `n < 5` and
/// `n <= 5` for what is below one, so that one comparison decides each of them.
package struct Cut: Comparable, Hashable, Sendable {
  private let number: Number
  private let isBehind: Bool

  private init(_ number: Number, isBehind: Bool) { (self.number, self.isBehind) = (number, isBehind) }

  /// The cut directly before a value; nil if it is no number. The value is above each cut up to this one.
  package static func before(_ datum: Datum) -> Cut? { datum.number.map { Cut($0, isBehind: false) } }

  /// The cut directly behind a value; nil if it is no number. The value is below each cut from this one on.
  package static func behind(_ datum: Datum) -> Cut? { datum.number.map { Cut($0, isBehind: true) } }

  package static func < (a: Cut, b: Cut) -> Bool {
    let order = a.number.order(b.number)
    return order != 0 ? order < 0 : !a.isBehind && b.isBehind
  }

  /// Whether a value is greater than all numbers below the cut.
  package func isBelow(_ datum: Datum) -> Bool { Cut.before(datum).map { self <= $0 } ?? false }

  /// Whether a value is smaller than all numbers above the cut.
  package func isAbove(_ datum: Datum) -> Bool { Cut.behind(datum).map { self >= $0 } ?? false }
}
