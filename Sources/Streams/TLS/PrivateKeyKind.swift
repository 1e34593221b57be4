// SPDX-License-Identifier: Apache-2.0
//
// What kind of private key a file holds that the TLS library did not take: it does not say.
//
// Source: RFC 7468 (PEM), RFC 5958 (PKCS #8), RFC 5915 (EC keys).

/// Why a text is no private key for us.
enum PrivateKeyKind {
  /// The reason in words, to follow the name of the file.
  static func objection(to text: [UInt8]) -> String {
    for (label, isPKCS8) in [("PRIVATE KEY", true), ("EC PRIVATE KEY", false)] {
      guard let body = PEMText.body(label, in: text), let key = isPKCS8 ? pkcs8(body) : sec1(body) else { continue }
      return key.isSupported ? "the key (\(key.name)) is damaged" : "keys of type \(key.name) are not supported"
    }
    if PEMText.body("ENCRYPTED PRIVATE KEY", in: text) != nil || text.contains("Proc-Type: 4,ENCRYPTED".utf8) {
      return "the key has a passphrase"
    }
    return "not a PEM private key"
  }

  private static func pkcs8(_ der: [UInt8]) -> CertificateStrength.Key? {
    var outer = DERReader(der[...])
    guard var content = outer.next(DERTag.sequence), content.next(DERTag.integer) != nil,
      let algorithm = content.next(DERTag.sequence)
    else { return nil }
    return CertificateStrength.Key(algorithm: algorithm, encoded: nil)
  }

  /// ECPrivateKey: the curve stands behind the key.
  private static func sec1(_ der: [UInt8]) -> CertificateStrength.Key? {
    var outer = DERReader(der[...])
    guard var content = outer.next(DERTag.sequence), content.next(DERTag.integer) != nil, content.next(DERTag.octetString) != nil,
      var parameters = content.next(0xa0)
    else { return nil }
    return CertificateStrength.Key(curve: parameters.nextIdentifier())
  }
}

/// Bytes in a text between lines with dashes.
enum PEMText {
  /// The first of what has a label.
  ///
  /// - Returns: nil when nothing has it; what is no base 64 in it is skipped.
  static func body(_ label: String, in text: [UInt8]) -> [UInt8]? {
    guard let begin = text.firstRange(of: Array("-----BEGIN \(label)-----".utf8)) else { return nil }
    let rest = text[begin.upperBound...]
    guard let end = rest.firstRange(of: Array("-----END \(label)-----".utf8)) else { return nil }
    return decoded(rest[..<end.lowerBound])
  }

  private static func decoded(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    for digit in text.compactMap({ values[$0] }) {
      bits = bits << 6 | UInt32(digit)
      count += 6
      guard count >= 8 else { continue }
      count -= 8
      bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
    }
    return bytes
  }

  private static let values = Dictionary(
    uniqueKeysWithValues: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8.enumerated().map {
      ($1, UInt8($0))
    })
}
