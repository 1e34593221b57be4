import Foundation

/// Arithmetic that cannot overflow although its operands are named like numbers from outside.
struct GuardedArithmetic: Sendable {
  let path: String
  /// Part of the line.
  let text: String
  let why: String

  init(_ path: String, _ text: String, _ why: String) {
    self.path = "Sources/" + path
    self.text = text
    self.why = why
  }
}

/// `+ - * <<` on durations, dates, ports and limits, by their names. Clients, files, options and clocks give any integer for these, and an
/// overflow ends the program: `saturatingPlus`, `saturatingMinus` and `saturatingTimes` are for them, or a `TimeAmount` of NIO, which is
/// made of any number and may be added to a deadline. Sizes of what is in memory are no such numbers: their sums are sizes, too.
func unguardedArithmetic(in files: [ProjectFile], guarded: [GuardedArithmetic] = []) -> [Finding] {
  files.flatMap { file -> [Finding] in
    let known = guarded.filter { $0.path == file.path }
    var findings: [Finding] = []
    file.forEachLine { number, bytes in
      let line = String(decoding: bytes, as: UTF8.self)
      guard hasOperator(line), hasOutsideArithmetic(code(of: line)), !known.contains(where: { line.contains($0.text) }) else { return }
      findings.append("\(file.path):\(number): \(line.trimmingCharacters(in: .whitespaces))")
    }
    return findings
  }
}

/// Entries that are not needed.
func staleGuards(_ guarded: [GuardedArithmetic], in files: [ProjectFile]) -> [Finding] {
  guarded.filter { entry in
    unguardedArithmetic(in: files.filter { $0.path == entry.path }).allSatisfy { !$0.contains(entry.text) }
  }.map { "\($0.path): no arithmetic in need of a reason: \($0.text)" }
}

/// The line without its texts and comment. What is interpolated in a text counts as text.
private func code(of line: String) -> String {
  var code = ""
  var isText = false
  var before: Character = " "
  for character in line {
    if character == "\"", before != "\\" { isText.toggle() }
    if !isText {
      if character == "/", before == "/" { return code }
      code.append(character)
    }
    before = character
  }
  return code
}

private func hasOperator(_ line: String) -> Bool { line.contains { "+-*<".contains($0) } }

private func hasOutsideArithmetic(_ code: String) -> Bool {
  let words = code.split(whereSeparator: { $0 == " " || $0 == "," })
  return words.indices.contains { index in
    guard ["+", "-", "*", "<<", "+=", "-=", "*=", "<<="].contains(words[index]) else { return false }
    let left = index > words.startIndex ? lastName(of: words[index - 1]) : ""
    // A deadline of NIO.
    if index > words.startIndex, words[index - 1].hasSuffix("oop.now") { return false }
    let right = index + 1 < words.endIndex ? firstName(of: words[index + 1]) : ""
    return isFromOutside(left) || isFromOutside(right)
  }
}

/// `b` of `f(a.b)`; nothing of a call's result or an element.
private func lastName(of word: Substring) -> Substring {
  let end = word.lastIndex { $0 != ")" }.map { word.index(after: $0) } ?? word.startIndex
  let name = word[..<end]
  return name[(name.lastIndex { !isNamePart($0) }.map { name.index(after: $0) } ?? name.startIndex)...]
}

/// `c` of `(a.b?.c)`; nothing if it is called.
private func firstName(of word: Substring) -> Substring {
  let start = word.drop { $0 == "(" || $0 == "-" || $0 == "." }
  let path = start.prefix { isNamePart($0) || $0 == "." || $0 == "?" || $0 == "!" }
  guard path.endIndex == start.endIndex || start[path.endIndex] != "(" else { return "" }
  return path.split(separator: ".").last ?? ""
}

private let outsideWords = [
  "Milliseconds", "Microseconds", "Nanoseconds", "Seconds", "Minutes", "Days", "Date", "Time", "Timeout", "Interval", "Pause", "Delay",
  "Uptime", "Grace", "Backoff", "Deadline", "Port", "DSCP", "Now", "Limit", "Max",
]

private let outsideNames = Set(outsideWords.map { $0.lowercased() }).subtracting(["max"])

/// Whether a name is, or ends in, one of the words.
private func isFromOutside(_ name: Substring) -> Bool {
  let name = name.filter { $0 != "?" && $0 != "!" }
  return outsideNames.contains(String(name)) || outsideWords.contains { name.hasSuffix($0) }
}

private let deadline = "a deadline and an amount, or two deadlines: NIO saturates"
private let monotonic = "readings of a clock that begins at 0 and does not go back"
private let constant = "of constants"
private let certificate = "dates of certificates have four digits for the year, the clock and the grace at most 32 and 40 bits"

let guardedArithmetic = [
  GuardedArithmetic("Daemon/Logging/LogModule.swift", "now - (state.lastFill ?? now)", monotonic),
  GuardedArithmetic("Daemon/Logging/LogPattern.swift", "1000 + wallMilliseconds % 1000", "a remainder"),
  GuardedArithmetic("Daemon/Process/Daemonizer.swift", "lastRestart + Self.restartIntervalSeconds * 1000", monotonic),
  GuardedArithmetic("Daemon/Terminal/ProgressLine.swift", "Double(elapsedMilliseconds) *", "of reals"),
  GuardedArithmetic("Daemon/Terminal/ProgressMeter.swift", "Clock.monotonicMilliseconds() - startMilliseconds", monotonic),
  GuardedArithmetic("DatabaseTool/Commands/ShowLog.swift", "days + 719_468", "days of milliseconds: 37 bits"),
  GuardedArithmetic("Engine/Store/DeferredRows.swift", "arrangedRowsMax -= rows.rowCountMax", "compared before"),
  GuardedArithmetic("Engine/Transaction/TableOverlay.swift", "Self.scanLimit + 1", constant),
  GuardedArithmetic("Engine/Transaction/Transaction+References.swift", "Self.scanLimit + 1", constant),
  GuardedArithmetic("Files/InputFile.swift", "limit - (Self.now() - start)", monotonic),
  GuardedArithmetic("JSONRPC/RPCConnection+Probe.swift", "probe.lastLife + probe.interval", deadline),
  GuardedArithmetic("JSONRPC/RPCConnection+Probe.swift", "now - probe.due > Self.latenessMax", deadline),
  GuardedArithmetic("Monitoring/InitialContents.swift", "looks + PieceLimits.looksMax", "a count of rows and a constant"),
  GuardedArithmetic("Monitoring/OwedChanges.swift", "looks + PieceLimits.looksMax", "a count of rows and a constant"),
  GuardedArithmetic("OVSDB/Operations/Alternatives.swift", "Self.listedOperandsMax) + min(", constant),
  GuardedArithmetic("Server/Following/BackupRing.swift", "KnownFollowers.countMax - 1", constant),
  GuardedArithmetic("Server/Program/SlowWork.swift", "now + wait", deadline),
  GuardedArithmetic("Server/Remotes/Remote.swift", "now - lastConnected >", deadline),
  GuardedArithmetic("Server/Turn/Execution.swift", "limits.arrangedRowsMax - rowArranger.rowCount", "at most the limit is arranged"),
  GuardedArithmetic("Streams/Sockets/Acceptor.swift", "now + Self.rest", deadline),
  GuardedArithmetic("Streams/Sockets/Acceptor.swift", "now - $0 > Self.complaintInterval", deadline),
  GuardedArithmetic("Streams/TLS/CertificateValidity.swift", "leapDays + dayOfYear", certificate),
  GuardedArithmetic("Streams/TLS/TLSCertificateReport.swift", "found.count - Self.namedPerFileMax", constant),
  GuardedArithmetic("Streams/TLS/TLSCertificateReport.swift", "entry.end - now + Self.day", certificate),
  GuardedArithmetic("Streams/TLS/TLSPeer.swift", "Int64(end.time) + grace", certificate),
]
