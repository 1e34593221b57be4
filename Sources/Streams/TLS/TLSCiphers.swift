// SPDX-License-Identifier: Apache-2.0
//
// The `--ssl-ciphers` option: OpenSSL's cipher strings over the suites that our TLS library has. The string is worked out here and
// the library given plain names, because it ends the process over a string without any suite.
//
// Source: ciphers(1ssl).

/// A cipher suite of TLS 1.2.
struct TLSCipher: Hashable {
  /// OpenSSL's name.
  let name: String
  /// The words of cipher strings that the suite goes by.
  let words: Set<String>

  private init(_ name: String, _ words: String) {
    self.name = name
    self.words = Set(words.split(separator: " ").map(String.init)).union(["ALL", "COMPLEMENTOFDEFAULT", "DEFAULT", "HIGH"])
  }

  private static let ephemeral = "ECDHE kECDHE EECDH kEECDH ECDH"
  private static let transported = "kRSA RSA aRSA"

  /// All there are, the better before the worse.
  static let all: [TLSCipher] = [
    TLSCipher("ECDHE-ECDSA-AES256-GCM-SHA384", "\(ephemeral) ECDSA aECDSA AES AES256 AESGCM SHA384 TLSv1.2"),
    TLSCipher("ECDHE-RSA-AES256-GCM-SHA384", "\(ephemeral) aRSA AES AES256 AESGCM SHA384 TLSv1.2"),
    TLSCipher("ECDHE-ECDSA-CHACHA20-POLY1305", "\(ephemeral) ECDSA aECDSA CHACHA20 TLSv1.2"),
    TLSCipher("ECDHE-RSA-CHACHA20-POLY1305", "\(ephemeral) aRSA CHACHA20 TLSv1.2"),
    TLSCipher("ECDHE-ECDSA-AES128-GCM-SHA256", "\(ephemeral) ECDSA aECDSA AES AES128 AESGCM SHA256 TLSv1.2"),
    TLSCipher("ECDHE-RSA-AES128-GCM-SHA256", "\(ephemeral) aRSA AES AES128 AESGCM SHA256 TLSv1.2"),
    TLSCipher("ECDHE-ECDSA-AES256-SHA", "\(ephemeral) ECDSA aECDSA AES AES256 SHA SHA1 TLSv1.0"),
    TLSCipher("ECDHE-RSA-AES256-SHA", "\(ephemeral) aRSA AES AES256 SHA SHA1 TLSv1.0"),
    TLSCipher("ECDHE-ECDSA-AES128-SHA", "\(ephemeral) ECDSA aECDSA AES AES128 SHA SHA1 TLSv1.0"),
    TLSCipher("ECDHE-RSA-AES128-SHA", "\(ephemeral) aRSA AES AES128 SHA SHA1 TLSv1.0"),
    TLSCipher("AES256-GCM-SHA384", "\(transported) AES AES256 AESGCM SHA384 TLSv1.2"),
    TLSCipher("AES128-GCM-SHA256", "\(transported) AES AES128 AESGCM SHA256 TLSv1.2"),
    TLSCipher("AES256-SHA", "\(transported) AES AES256 SHA SHA1 SSLv3"),
    TLSCipher("AES128-SHA", "\(transported) AES AES128 SHA SHA1 SSLv3"),
  ]

  /// The names of the suites of TLS 1.3. The library has exactly these, and none can be turned off.
  static let ciphersuites = ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"]

  /// The suites that a cipher string selects, in its order; empty when there are none.
  ///
  /// Words that mean nothing to us are skipped, as OpenSSL does: the string may be made for a library with more suites.
  static func selected(by text: String) -> [TLSCipher] {
    var selection: [TLSCipher] = []
    var banned: Set<TLSCipher> = []
    for item in text.split(whereSeparator: { ":, ;".contains($0) }) {
      // `@STRENGTH`: ours are in that order. `@SECLEVEL=N`: TLSSecurityLevel.swift.
      guard item.first != "@" else { continue }
      let sign = item.first.flatMap { "!-+".contains($0) ? $0 : nil }
      let matching = matches(sign == nil ? item : item.dropFirst())
      switch sign {
      case "!":
        banned.formUnion(matching)
        selection.removeAll { matching.contains($0) }
      case "-":
        selection.removeAll { matching.contains($0) }
      case "+":
        // To the end.
        let moved = selection.filter { matching.contains($0) }
        selection.removeAll { matching.contains($0) }
        selection += moved
      default:
        selection += matching.filter { !banned.contains($0) && !selection.contains($0) }
      }
    }
    return selection
  }

  /// The suites of a name, or of words joined by `+`, all of which they must go by.
  private static func matches(_ item: Substring) -> [TLSCipher] {
    if let named = all.first(where: { $0.name == item }) { return [named] }
    let words = item.split(separator: "+").map(String.init)
    guard !words.isEmpty else { return [] }
    return all.filter { cipher in words.allSatisfy { cipher.words.contains($0) } }
  }
}
