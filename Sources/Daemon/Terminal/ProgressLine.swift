// SPDX-License-Identifier: Apache-2.0
//
// What a progress meter says: how much of how much, for how long, how long still.

/// Shape: `compact: 45% (1.2 of 2.7 GiB), 0:12, 0:15 left`; without a total `backup: 450,000 rows, 0:12`.
package struct ProgressLine: Sendable {
  package enum Unit: Sendable {
    case bytes
    /// The plural: `rows`.
    case things(String)
  }

  var activity: String
  var done: Int64
  var total: Int64?
  var unit: Unit
  var elapsedMilliseconds: Int64

  /// - Parameter columns: a longer line is cut.
  func text(columns: Int) -> String {
    var parts: [String] = []
    if let total, total > 0 {
      let shown = min(max(done, 0), total)
      let percent = Int(Double(shown) / Double(total) * 100)
      parts.append("\(percent)% (\(amounts(shown, of: total)))")
    } else if done > 0 {
      parts.append(amount(done))
    }
    parts.append(Self.duration(elapsedMilliseconds))
    if let left = remainingMilliseconds { parts.append("\(Self.duration(left)) left") }
    return String(DisplayWidth.prefix("\(activity): \(parts.joined(separator: ", "))", columns: max(columns, 0)).text)
  }

  /// Milliseconds of a thousand years. Sizes of files may be any number.
  private static let longestGuess = 3.2e13

  /// A guess from the pace so far; none until there is a pace.
  private var remainingMilliseconds: Int64? {
    guard let total, done > 0, done < total, elapsedMilliseconds > 0 else { return nil }
    let guess = Double(elapsedMilliseconds) * (Double(total - done) / Double(done))
    return guess < Self.longestGuess ? Int64(guess) : nil
  }

  /// Shape: `0:07`, `12:03`, `1:00:00`.
  static func duration(_ milliseconds: Int64) -> String {
    let seconds = milliseconds / 1000
    func twoDigits(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let minutes = "\(seconds / 60 % 60)"
    guard seconds >= 3600 else { return "\(minutes):\(twoDigits(seconds % 60))" }
    return "\(seconds / 3600):\(twoDigits(seconds / 60 % 60)):\(twoDigits(seconds % 60))"
  }

  private func amounts(_ done: Int64, of total: Int64) -> String {
    switch unit {
    case .bytes:
      let scale = Scale(for: total)
      return "\(scale.number(done)) of \(scale.number(total)) \(scale.name)"
    case .things(let name):
      return "\(Self.grouped(done)) of \(Self.grouped(total)) \(name)"
    }
  }

  private func amount(_ done: Int64) -> String {
    switch unit {
    case .bytes:
      let scale = Scale(for: done)
      return "\(scale.number(done)) \(scale.name)"
    case .things(let name):
      return "\(Self.grouped(done)) \(name)"
    }
  }

  /// Shape: `1,234,567`.
  static func grouped(_ number: Int64) -> String {
    var digits = Array(String(number))
    var index = digits.count - 3
    while index > (number < 0 ? 1 : 0) {
      digits.insert(",", at: index)
      index -= 3
    }
    return String(digits)
  }

  /// A unit of bytes in which numbers are short.
  private struct Scale {
    let name: String
    private let divisor: Double

    init(for bytes: Int64) {
      let scales: [(String, Double)] = [("B", 1), ("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824)]
      (name, divisor) = scales.last { Double(bytes) >= $0.1 } ?? scales[0]
    }

    /// With one digit behind the point, but for single bytes.
    func number(_ bytes: Int64) -> String {
      guard divisor > 1 else { return "\(bytes)" }
      let tenths = Int64((Double(bytes) / divisor * 10).rounded())
      return "\(tenths / 10).\(tenths % 10)"
    }
  }
}
