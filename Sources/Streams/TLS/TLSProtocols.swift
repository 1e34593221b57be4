// SPDX-License-Identifier: Apache-2.0
//
// The `--ssl-protocols` option.

internal import NIOSSL

/// The versions of TLS that may be spoken: one, or two that follow each other.
struct TLSProtocols: Equatable {
  var oldest: TLSVersion
  var newest: TLSVersion

  /// What the option is without.
  static let all = TLSProtocols(oldest: .tlsv12, newest: .tlsv13)

  /// Why a text names no versions, and what to say about one that does.
  struct Complaint: Error, Equatable {
    /// Each a line of the log.
    var messages: [String]
  }

  /// Parses a list separated by spaces, commas or tabs (`TLSv1.2,TLSv1.3`), a range (`TLSv1.2-TLSv1.3`) or a lower bound (`TLSv1.2+`).
  ///
  /// Versions before 1.2 are recognized, so that an old configuration that lists them beside newer ones goes on working without
  /// them; a text with nothing else is refused.
  ///
  /// - Parameter text: the option's value.
  /// - Returns: the versions and what the log should tell about the text.
  static func parse(_ text: String) throws(Complaint) -> (protocols: TLSProtocols, warnings: [String]) {
    var warnings: [String] = []
    var chosen: Set<Int> = []
    for word in text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == "\t" }) {
      for rank in try ranks(of: word) where rank >= 2 { chosen.insert(rank) }
      if try ranks(of: word).contains(where: { $0 < 2 }) {
        warnings.append("\(word): versions of TLS before 1.2 are not supported")
      }
    }
    guard let first = chosen.min(), let last = chosen.max() else {
      throw Complaint(messages: warnings + ["SSL/TLS protocol settings invalid"])
    }
    return (TLSProtocols(oldest: version(first), newest: version(last)), warnings)
  }

  private static let names = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]

  private static func version(_ rank: Int) -> TLSVersion { rank == 2 ? .tlsv12 : .tlsv13 }

  private static func ranks(of word: Substring) throws(Complaint) -> ClosedRange<Int> {
    func rank(_ name: Substring) throws(Complaint) -> Int {
      guard let rank = names.firstIndex(where: { $0.lowercased() == name.lowercased() }) else {
        throw Complaint(messages: [
          "\(word): SSL/TLS protocol not recognized", "SSL/TLS protocol settings invalid",
        ])
      }
      return rank
    }
    if word.hasSuffix("+") { return try rank(word.dropLast())...(names.count - 1) }
    if let dash = word.firstIndex(of: "-") {
      let (first, last) = (try rank(word[..<dash]), try rank(word[word.index(after: dash)...]))
      guard first <= last else { throw Complaint(messages: ["SSL/TLS protocol settings invalid"]) }
      return first...last
    }
    let only = try rank(word)
    return only...only
  }
}
