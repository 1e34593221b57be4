// SPDX-License-Identifier: Apache-2.0
//
// What the log says about the certificates that a process uses: which they are, until when they are valid, and in time that one runs out.

import Glibc
internal import NIOSSL

/// The certificates of ours and of the CAs we trust.
struct TLSCertificateReport: Sendable {
  private struct Entry: Sendable {
    /// `certificate /CN=name in FILE`.
    let name: String
    /// Seconds since 1970.
    let end: time_t
  }

  private var entries: [Entry] = []
  private var unnamed: [String] = []

  /// A warning comes this long before the end.
  private static let notice = 30 * day
  private static let day = 86_400
  /// The CAs of a system are more than anybody wants to read about.
  private static let namedPerFileMax = 10

  /// - Parameter kind: `certificate`, `CA certificate`.
  mutating func add(_ certificates: [NIOSSLCertificate], kind: String, path: String) {
    let found = certificates.compactMap { certificate -> Entry? in
      guard let der = try? certificate.toDERBytes(), let subject = CertificateName(der: der)?.subject,
        let end = CertificateValidity(der: der)?.end
      else { return nil }
      return Entry(name: "\(kind) \(subject) in \(path)", end: end)
    }.sorted { $0.end < $1.end }
    entries += found.prefix(Self.namedPerFileMax)
    let rest = found.count - Self.namedPerFileMax
    if rest > 0 { unnamed.append("using \(rest) more of \(path), valid for longer") }
  }

  /// A line for each certificate.
  var summary: [String] { entries.map { "using \($0.name), valid until \(Self.date($0.end))" } + unnamed }

  /// A line for each certificate that has run out or is about to.
  func warnings(at now: time_t) -> [String] {
    entries.filter { $0.end - Self.notice < now }.map { entry in
      guard entry.end >= now else { return "\(entry.name) expired on \(Self.date(entry.end))" }
      let days = max((entry.end - now + Self.day - 1) / Self.day, 1)
      return "\(entry.name) expires within \(days == 1 ? "a day" : "\(days) days"), on \(Self.date(entry.end))"
    }
  }

  /// `2026-12-31 23:59:59Z`.
  private static func date(_ seconds: time_t) -> String {
    var seconds = seconds
    var parts = tm()
    gmtime_r(&seconds, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
      guard let base = buffer.baseAddress else { return "" }
      return strftime(base, buffer.count, "%Y-%m-%d %H:%M:%SZ", &parts) == 0 ? "" : String(cString: base)
    }
  }
}
