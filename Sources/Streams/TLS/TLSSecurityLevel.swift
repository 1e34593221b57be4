// SPDX-License-Identifier: Apache-2.0
//
// OpenSSL's security levels, which decide what keys and signatures are strong enough. Our TLS library has no such notion.
//
// Source: SSL_CTX_set_security_level(3ssl), ciphers(1ssl).

internal import NIOSSL

/// From 0, anything goes, to 5.
struct TLSSecurityLevel: Equatable {
  let number: Int

  /// What OpenSSL has as its default in the distributions.
  static let standard = TLSSecurityLevel(number: 2)

  /// The least strength in bits of everything that takes part.
  var bits: Int { [0, 80, 112, 128, 192, 256][number] }

  private init(number: Int) { self.number = number }

  /// The level of a cipher string: its last `@SECLEVEL=N`, or the default.
  ///
  /// - Returns: nil when a word with `@` in it is none that there is, as a level of 6.
  init?(ciphers text: String) {
    var level = Self.standard
    for word in text.split(whereSeparator: { ":, ;".contains($0) }) where word.first == "@" {
      guard word != "@STRENGTH" else { continue }
      let digits = word.dropFirst("@SECLEVEL=".count)
      guard word.hasPrefix("@SECLEVEL="), digits.utf8.count == 1, let number = Int(digits), 0...5 ~= number else { return nil }
      level = TLSSecurityLevel(number: number)
    }
    self = level
  }

  /// What makes a certificate too weak.
  ///
  /// - Parameter isTrusted: it is trusted for itself, so that the signature on it shows nothing.
  /// - Returns: nil when nothing does.
  func objection(to strength: CertificateStrength, isTrusted: Bool) -> String? {
    guard strength.key.bits >= bits else { return "its key (\(strength.key.name)) is too weak for security level \(number)" }
    guard isTrusted || strength.digestBits >= bits else {
      return "its signature (\(strength.digest)) is too weak for security level \(number)"
    }
    return nil
  }

  /// Whether a suite of TLS 1.2 may be used: level 3 wants forward secrecy, level 4 neither SHA-1 nor keys of fewer bits.
  func admits(_ cipher: TLSCipher) -> Bool {
    let bits = cipher.words.contains("AES128") ? 128 : 256
    return bits >= self.bits && (number < 3 || cipher.words.contains("ECDHE")) && (number < 4 || !cipher.words.contains("SHA1"))
  }

  /// The suites of TLS 1.3 include one of 128 bits, which the library does not let us turn off.
  var admitsTLS13: Bool { bits <= 128 }

  /// The groups for the key exchange, the best first.
  var groups: [NIOTLSCurve] {
    let all: [(NIOTLSCurve, Int)] = [
      (.x25519_MLKEM768, 128), (.x25519, 128), (.secp256r1, 128), (.secp384r1, 192), (.secp521r1, 256),
    ]
    return all.filter { $0.1 >= bits }.map(\.0)
  }

  /// The signatures of handshakes, the best first. Those with SHA-1 last.
  var signatures: [SignatureAlgorithm] {
    let all: [(SignatureAlgorithm, Int)] = [
      (.ed25519, 128), (.ecdsaSecp256R1Sha256, 128), (.rsaPssRsaeSha256, 128), (.rsaPkcs1Sha256, 128), (.ecdsaSecp384R1Sha384, 192),
      (.rsaPssRsaeSha384, 192), (.rsaPkcs1Sha384, 192), (.ecdsaSecp521R1Sha512, 256), (.rsaPssRsaeSha512, 256),
      (.rsaPkcs1Sha512, 256), (.ecdsaSha1, 63), (.rsaPkcs1Sha1, 63),
    ]
    return all.filter { $0.1 >= bits }.map(\.0)
  }
}
