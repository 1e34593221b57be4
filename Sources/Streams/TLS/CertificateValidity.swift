// SPDX-License-Identifier: Apache-2.0
//
// From when until when a certificate is valid.
//
// Source: RFC 5280 §4.1.2.5.

import Glibc

/// The time in which a certificate is valid, both ends included, in seconds since 1970.
struct CertificateValidity: Equatable {
  let begin: time_t
  let end: time_t

  /// - Returns: nil when the certificate cannot be read or a date of it is none.
  init?(der: [UInt8]) {
    guard var validity = CertificateFields(der: der)?.validity, let begin = Self.time(&validity), let end = Self.time(&validity) else {
      return nil
    }
    self.begin = begin
    self.end = end
  }

  /// `YYMMDDHHMMSSZ`, of the years from 1950 to 2049, or `YYYYMMDDHHMMSSZ`.
  private static func time(_ reader: inout DERReader) -> time_t? {
    guard let tag = reader.peek, tag == DERTag.utcTime || tag == DERTag.generalizedTime, let content = reader.next(tag),
      content.bytes.last == UInt8(ascii: "Z")
    else { return nil }
    let digits = content.bytes.dropLast().map { Int($0) - 0x30 }
    let yearDigits = tag == DERTag.utcTime ? 2 : 4
    guard digits.count == yearDigits + 10, digits.allSatisfy({ 0...9 ~= $0 }) else { return nil }
    var year = digits.prefix(yearDigits).reduce(0) { $0 * 10 + $1 }
    if tag == DERTag.utcTime { year += year < 50 ? 2000 : 1900 }
    let fields = stride(from: yearDigits, to: digits.count, by: 2).map { digits[$0] * 10 + digits[$0 + 1] }
    guard 1...12 ~= fields[0], 1...31 ~= fields[1], fields[2] < 24, fields[3] < 60, fields[4] < 60 else { return nil }
    return seconds(year, month: fields[0], day: fields[1]) + fields[2] * 3600 + fields[3] * 60 + fields[4]
  }

  /// Midnight of a day in UTC.
  private static func seconds(_ year: Int, month: Int, day: Int) -> Int {
    // Years that begin in March have the leap day at their end.
    let shifted = month > 2 ? year : year - 1
    let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
    let leapDays = shifted >= 0 ? shifted / 4 - shifted / 100 + shifted / 400 : -1
    return (shifted * 365 + leapDays + dayOfYear - 719_468) * 86_400
  }
}
