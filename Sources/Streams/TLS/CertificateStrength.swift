// SPDX-License-Identifier: Apache-2.0
//
// How strong the key of a certificate and the signature on it are.
//
// Source: RFC 3279, 4055, 5480, 8410 and 5639 for the identifiers; NIST SP 800-57 part 1, §5.6.1, for the strengths.

/// Strengths are in bits: the logarithm of the work that breaks it.
struct CertificateStrength: Equatable {
  /// A key in words and how strong it is.
  struct Key: Equatable {
    /// `RSA of 2048 bits`, `P-256`; of what we do not know, its identifier.
    let name: String
    let bits: Int
    /// Whether the TLS library can use it.
    let isSupported: Bool

    /// Whether the library can also shake hands with it: TLS 1.3 has no signatures with P-224, and it has none at all.
    var isForHandshakes: Bool { isSupported && name != "P-224" }
  }

  let key: Key
  /// The digest that was signed: `SHA256`; of a signature that we do not know, its identifier.
  let digest: String
  let digestBits: Int

  /// - Returns: nil for bytes that are no certificate.
  init?(der: [UInt8]) {
    guard let fields = CertificateFields(der: der) else { return nil }
    var publicKey = fields.publicKey
    guard let algorithm = publicKey.next(DERTag.sequence), let encoded = publicKey.next(DERTag.bitString),
      let key = Key(algorithm: algorithm, encoded: encoded), let digest = Self.digest(of: fields.signatureAlgorithm)
    else { return nil }
    self.key = key
    (self.digest, digestBits) = digest
  }

  private static func digest(of algorithm: DERReader) -> (String, Int)? {
    var algorithm = algorithm
    guard var identifier = algorithm.nextIdentifier() else { return nil }
    if identifier == Key.rsaPSS { identifier = hash(ofPSS: algorithm) }
    return signatures[identifier] ?? (identifier, 0)
  }

  /// RSASSA-PSS-params (RFC 4055 §3.1): the hash algorithm comes first, and SHA-1 is not written.
  private static func hash(ofPSS parameters: DERReader) -> String {
    var parameters = parameters
    var content = parameters.next(DERTag.sequence)
    var tagged = content?.next(0xa0)
    var algorithm = tagged?.next(DERTag.sequence)
    return algorithm?.nextIdentifier() ?? "1.3.14.3.2.26"
  }

  /// Signatures and, for RSA-PSS, hashes. Collisions of MD5 and SHA-1 cost less than half of their length.
  private static let signatures: [String: (String, Int)] = {
    var table: [String: (String, Int)] = ["1.3.101.112": ("Ed25519", 128), "1.3.101.113": ("Ed448", 224)]
    let digests: [(name: String, bits: Int, identifiers: [String])] = [
      ("MD5", 39, ["1.2.840.113549.1.1.4", "1.2.840.113549.2.5"]),
      ("SHA1", 63, ["1.2.840.113549.1.1.5", "1.3.14.3.2.26", "1.3.14.3.2.29", "1.2.840.10040.4.3", "1.2.840.10045.4.1"]),
      ("SHA224", 112, ["1.2.840.113549.1.1.14", "2.16.840.1.101.3.4.2.4", "2.16.840.1.101.3.4.3.1", "1.2.840.10045.4.3.1"]),
      ("SHA256", 128, ["1.2.840.113549.1.1.11", "2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.3.2", "1.2.840.10045.4.3.2"]),
      ("SHA384", 192, ["1.2.840.113549.1.1.12", "2.16.840.1.101.3.4.2.2", "2.16.840.1.101.3.4.3.3", "1.2.840.10045.4.3.3"]),
      ("SHA512", 256, ["1.2.840.113549.1.1.13", "2.16.840.1.101.3.4.2.3", "2.16.840.1.101.3.4.3.4", "1.2.840.10045.4.3.4"]),
    ]
    for digest in digests { for identifier in digest.identifiers { table[identifier] = (digest.name, digest.bits) } }
    return table
  }()
}

extension CertificateStrength.Key {
  static let rsa = "1.2.840.113549.1.1.1"
  static let rsaPSS = "1.2.840.113549.1.1.10"
  static let dsa = "1.2.840.10040.4.1"
  static let elliptic = "1.2.840.10045.2.1"

  /// Those on which there is more than a name to say.
  private static let curves: [String: (name: String, bits: Int, isSupported: Bool)] = [
    "1.2.840.10045.3.1.1": ("P-192", 80, false), "1.3.132.0.33": ("P-224", 112, true), "1.2.840.10045.3.1.7": ("P-256", 128, true),
    "1.3.132.0.34": ("P-384", 192, true), "1.3.132.0.35": ("P-521", 256, true), "1.3.132.0.10": ("secp256k1", 128, false),
    "1.3.36.3.3.2.8.1.1.7": ("brainpoolP256r1", 128, false), "1.3.36.3.3.2.8.1.1.11": ("brainpoolP384r1", 192, false),
    "1.3.36.3.3.2.8.1.1.13": ("brainpoolP512r1", 256, false),
  ]

  /// - Parameters:
  ///   - algorithm: an AlgorithmIdentifier.
  ///   - encoded: what the bit string of a SubjectPublicKeyInfo holds; nil with a private key, whose length is not looked at.
  init?(algorithm: DERReader, encoded: DERReader?) {
    var algorithm = algorithm
    guard let identifier = algorithm.nextIdentifier() else { return nil }
    switch identifier {
    case Self.rsa, Self.rsaPSS: self.init(rsa: encoded, isPSS: identifier == Self.rsaPSS)
    case Self.dsa: self.init(dsa: algorithm)
    case Self.elliptic: self.init(curve: algorithm.nextIdentifier())
    case "1.3.101.112": self.init(name: "Ed25519", bits: 128, isSupported: true)
    case "1.3.101.113": self.init(name: "Ed448", bits: 224, isSupported: false)
    default: self.init(name: identifier, bits: 0, isSupported: false)
    }
  }

  private init(rsa encoded: DERReader?, isPSS: Bool) {
    let name = isPSS ? "RSA-PSS" : "RSA"
    // A bit string begins with how many bits of its last byte do not count.
    var content = encoded.map { DERReader($0.bytes.dropFirst()) }
    var key = content?.next(DERTag.sequence)
    guard let length = key?.nextIntegerBits() else {
      self.init(name: name, bits: 0, isSupported: !isPSS)
      return
    }
    self.init(name: "\(name) of \(length) bits", bits: Self.strength(ofModulus: length), isSupported: !isPSS)
  }

  private init(dsa algorithm: DERReader) {
    var algorithm = algorithm
    var parameters = algorithm.next(DERTag.sequence)
    let length = parameters?.nextIntegerBits() ?? 0
    self.init(name: "DSA of \(length) bits", bits: Self.strength(ofModulus: length), isSupported: false)
  }

  /// - Parameter identifier: of a named curve.
  init(curve identifier: String?) {
    let curve = identifier.flatMap { Self.curves[$0] } ?? (identifier ?? "explicit parameters", 0, false)
    self.init(name: curve.0, bits: curve.1, isSupported: curve.2)
  }

  private static func strength(ofModulus length: Int) -> Int {
    switch length {
    case 15_360...: 256
    case 7680...: 192
    case 3072...: 128
    case 2048...: 112
    case 1024...: 80
    default: 0
    }
  }
}
