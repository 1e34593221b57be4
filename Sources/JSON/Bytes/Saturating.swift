// SPDX-License-Identifier: Apache-2.0
//
// Arithmetic on numbers that come from outside: clients, files, options and clocks may give any integer, and `+ - *` end the program
// when the result is none.

extension FixedWidthInteger {
  /// The sum, or the nearest integer there is.
  package func saturatingPlus(_ other: Self) -> Self {
    let (sum, isOver) = addingReportingOverflow(other)
    guard isOver else { return sum }
    return other < 0 ? .min : .max
  }

  /// The difference, or the nearest integer there is.
  package func saturatingMinus(_ other: Self) -> Self {
    let (difference, isOver) = subtractingReportingOverflow(other)
    guard isOver else { return difference }
    return other < 0 ? .max : .min
  }

  /// The product, or the nearest integer there is.
  package func saturatingTimes(_ other: Self) -> Self {
    let (product, isOver) = multipliedReportingOverflow(by: other)
    guard isOver else { return product }
    return (self < 0) == (other < 0) ? .max : .min
  }
}
