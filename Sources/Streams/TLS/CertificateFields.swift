// SPDX-License-Identifier: Apache-2.0
//
// Where things stand in a certificate. The TLS library verifies certificates but says little about what is in them, and its reader of
// dates ends the process over one that is none.
//
// Source: RFC 5280 §4.1 for the fields, ITU-T X.690 for their encoding (DER).

/// The fields of an X.509 certificate, each the content of its element.
struct CertificateFields {
  let issuer: DERReader
  let validity: DERReader
  let subject: DERReader
  let publicKey: DERReader
  /// With which algorithm the issuer signed.
  let signatureAlgorithm: DERReader

  /// - Returns: nil for bytes that are no certificate.
  init?(der: [UInt8]) {
    var outer = DERReader(der[...])
    guard var certificate = outer.next(DERTag.sequence), var body = certificate.next(DERTag.sequence) else { return nil }
    if body.peek == DERTag.version { _ = body.next(DERTag.version) }
    guard body.next(DERTag.integer) != nil, body.next(DERTag.sequence) != nil, let issuer = body.next(DERTag.sequence),
      let validity = body.next(DERTag.sequence), let subject = body.next(DERTag.sequence), let publicKey = body.next(DERTag.sequence),
      let signatureAlgorithm = certificate.next(DERTag.sequence)
    else { return nil }
    self.issuer = issuer
    self.validity = validity
    self.subject = subject
    self.publicKey = publicKey
    self.signatureAlgorithm = signatureAlgorithm
  }
}

enum DERTag {
  static let integer: UInt8 = 0x02
  static let bitString: UInt8 = 0x03
  static let octetString: UInt8 = 0x04
  static let objectIdentifier: UInt8 = 0x06
  static let utcTime: UInt8 = 0x17
  static let generalizedTime: UInt8 = 0x18
  static let sequence: UInt8 = 0x30
  /// The first element with a tag of its own (`[0]`); in a certificate its version.
  static let version: UInt8 = 0xa0
}

/// Elements of DER one after the other.
struct DERReader {
  private(set) var bytes: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

  var isAtEnd: Bool { bytes.isEmpty }

  /// The tag of the next element.
  var peek: UInt8? { bytes.first }

  /// Takes the next element if it has this tag.
  ///
  /// - Returns: its content; nil when it is another or does not fit.
  mutating func next(_ tag: UInt8) -> DERReader? {
    var rest = bytes
    guard rest.popFirst() == tag, let first = rest.popFirst() else { return nil }
    var length = Int(first)
    if first >= 0x80 {
      // A certificate has fewer than 2^24 bytes; no length of one takes more than three.
      guard (1...3).contains(first & 0x7f) else { return nil }
      length = 0
      for _ in 0..<(first & 0x7f) {
        guard let byte = rest.popFirst() else { return nil }
        length = length << 8 | Int(byte)
      }
    }
    guard length <= rest.count else { return nil }
    bytes = rest.dropFirst(length)
    return DERReader(rest.prefix(length))
  }

  /// Takes an object identifier.
  ///
  /// - Returns: it in dots, `1.2.840.10045.2.1`; nil when the next element is none, or one with numbers that nobody gives out.
  mutating func nextIdentifier() -> String? {
    guard let content = next(DERTag.objectIdentifier) else { return nil }
    var numbers: [UInt64] = []
    var number: UInt64 = 0
    for byte in content.bytes {
      guard number < 1 << 48 else { return nil }
      number = number << 7 | UInt64(byte & 0x7f)
      guard byte & 0x80 == 0 else { continue }
      // The first two numbers share one: X.690 §8.19.4.
      numbers += numbers.isEmpty ? [min(number / 40, 2), number - min(number / 40, 2) * 40] : [number]
      number = 0
    }
    return numbers.isEmpty ? nil : numbers.map(String.init).joined(separator: ".")
  }

  /// Takes a positive integer.
  ///
  /// - Returns: how many bits it has.
  mutating func nextIntegerBits() -> Int? {
    guard let content = next(DERTag.integer) else { return nil }
    let digits = content.bytes.drop { $0 == 0 }
    return digits.first.map { digits.count * 8 - $0.leadingZeroBitCount } ?? 0
  }
}
