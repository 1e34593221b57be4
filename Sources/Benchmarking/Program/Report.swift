// SPDX-License-Identifier: Apache-2.0
//
// Results as text for people and as JSON for programs.

package enum Report {
  /// The lines above a table.
  package static func heading(serverCount: Int) -> String {
    var line = pad("", 26) + leftPad(serverCount == 2 ? "server" : "median", 12)
    if serverCount == 2 { line += leftPad("compared", 12) }
    line += "  " + pad("unit", 6)
    if serverCount == 2 { line += leftPad("better", 9) }
    return line + "  spread\n"
  }

  /// A workload's name and its measurements, one a line: medians, how many times better the first server is, and how
  /// far the rounds lie apart (a dash after a single round).
  package static func text(_ result: WorkloadResult) -> String {
    var text = "\(result.workload.name): \(result.workload.summary)\n"
    let isOnce = result.rounds.allSatisfy { $0.count == 1 }
    for line in result.lines {
      text += pad("  " + line.name, 26)
      for server in line.servers { text += leftPad(number(server.median), 12) }
      text += "  " + pad(line.unit, 6)
      if line.servers.count == 2 { text += leftPad(line.ratio.map { number($0) + "x" } ?? "", 9) }
      text +=
        "  " + (isOnce ? "-" : line.servers.map { number($0.spread * 100, digits: 0) + "%" }.joined(separator: " "))
      if line.isNoisy { text += "  noisy" }
      text += "\n"
    }
    return text
  }

  /// A workload's result as one JSON object on one line.
  ///
  /// Shape:
  /// `{"workload":NAME,"measurements":[{"name":NAME,"unit":UNIT,"goal":"more"|"less"|"none","servers":[{"median":M,
  /// "min":S,"max":L},...],"ratio":R},...]}`, `ratio` only where there is one.
  package static func json(_ result: WorkloadResult) -> String {
    let lines = result.lines.map { line in
      let servers = line.servers.map {
        #"{"median":\#(json($0.median)),"min":\#(json($0.smallest)),"max":\#(json($0.largest))}"#
      }
      let ratio = line.ratio.map { #","ratio":\#(json($0))"# } ?? ""
      return #"{"name":"\#(line.name)","unit":"\#(line.unit)","goal":"\#(line.goal.rawValue)","#
        + #""servers":[\#(servers.joined(separator: ","))]\#(ratio)}"#
    }
    return #"{"workload":"\#(result.workload.name)","measurements":[\#(lines.joined(separator: ","))]}"# + "\n"
  }

  private static func json(_ value: Double) -> String { value.isFinite ? "\(value)" : "null" }

  /// Four digits or so: 123456, 123, 12.3, 1.23.
  package static func number(_ value: Double) -> String {
    number(value, digits: value >= 100 ? 0 : value >= 10 ? 1 : 2)
  }

  /// A decimal number with a fixed count of digits behind the point.
  package static func number(_ value: Double, digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
    var scale = 1
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((abs(value) * Double(scale)).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard digits > 0 else { return sign + String(scaled) }
    let fraction = String(scaled % scale)
    return sign + String(scaled / scale) + "." + String(repeating: "0", count: digits - fraction.count) + fraction
  }

  private static func pad(_ text: String, _ count: Int) -> String {
    text + String(repeating: " ", count: max(0, count - text.count))
  }

  private static func leftPad(_ text: String, _ count: Int) -> String {
    String(repeating: " ", count: max(0, count - text.count)) + text
  }
}
