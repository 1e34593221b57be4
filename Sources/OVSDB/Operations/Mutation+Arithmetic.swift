// SPDX-License-Identifier: Apache-2.0
//
// The arithmetic mutators, on a number or on each number of a set.

extension Mutation {
  func arithmetic(_ datum: Datum, _ operand: Datum) throws(OVSDBError) -> Datum {
    guard let operand = operand.onlyAtom else { preconditionFailure("arithmetic takes one number") }
    if let atom = datum.onlyAtom {
      let result = try calculate(atom, operand)
      try column.type.key.check(result)
      return Datum(result)
    }
    guard case .set(let atoms) = datum else { return datum }
    var results = AtomArray(of: column.type.key.type, capacity: atoms.count)
    for position in 0..<atoms.count {
      let result = try calculate(atoms[position], operand)
      try column.type.key.check(result)
      results.append(result)
    }
    guard let sorted = results.sortedDistinct() else {
      throw .constraintViolation("Result of \"\(mutator.rawValue)\" operation contains duplicates.")
    }
    return Datum(sorted: sorted)
  }

  private func calculate(_ left: Atom, _ right: Atom) throws(OVSDBError) -> Atom {
    switch (left, right) {
    case (.integer(let a), .integer(let b)): .integer(try integer(a, b))
    case (.real(let a), .real(let b)): .real(try real(a, b))
    default: preconditionFailure("arithmetic on atoms that are no numbers of one type")
    }
  }

  /// Division truncates toward zero and the remainder has the dividend's sign, as in C.
  private func integer(_ a: Int64, _ b: Int64) throws(OVSDBError) -> Int64 {
    let (result, overflow): (Int64, Bool)
    switch mutator {
    case .add: (result, overflow) = a.addingReportingOverflow(b)
    case .subtract: (result, overflow) = a.subtractingReportingOverflow(b)
    case .multiply: (result, overflow) = a.multipliedReportingOverflow(by: b)
    case .divide:
      if b == 0 { throw Self.divisionByZero }
      (result, overflow) = a.dividedReportingOverflow(by: b)
    case .remainder:
      if b == 0 { throw Self.divisionByZero }
      // The one overflow is that of Int64.min by -1, whose quotient does not fit.
      (result, overflow) = a.remainderReportingOverflow(dividingBy: b)
    case .insert, .delete: preconditionFailure("not arithmetic")
    }
    if overflow { throw outOfRange }
    return result
  }

  private func real(_ a: Double, _ b: Double) throws(OVSDBError) -> Double {
    let result: Double
    switch mutator {
    case .add: result = a + b
    case .subtract: result = a - b
    case .multiply: result = a * b
    case .divide:
      if b == 0 { throw Self.divisionByZero }
      result = a / b
    case .remainder, .insert, .delete: preconditionFailure("not arithmetic on reals")
    }
    guard result.isFinite else { throw outOfRange }
    return result == 0 ? 0 : result
  }

  private static var divisionByZero: OVSDBError { OVSDBError(.domainError, "Division by zero.") }

  private var outOfRange: OVSDBError {
    OVSDBError(.rangeError, "Result of \"\(mutator.rawValue)\" operation is out of range.")
  }
}
