// SPDX-License-Identifier: Apache-2.0
//
// The readers of TLS options and certificates, without a connection: for fuzzers.

internal import NIOSSL

package enum TLSProbe {
  /// Whether a text names versions of TLS.
  package static func namesProtocols(_ text: String) -> Bool { (try? TLSProtocols.parse(text)) != nil }

  /// Names of the suites that a cipher string selects.
  package static func ciphers(_ text: String) -> [String] { TLSCipher.selected(by: text).map(\.name) }

  /// Common name and subject of certificates, PEM or DER; empty for anything else.
  package static func subjects(ofCertificates bytes: [UInt8]) -> [(commonName: String?, subject: String)] {
    encodings(bytes).compactMap { CertificateName(der: $0) }.map { ($0.commonName, $0.subject) }
  }

  /// Takes certificates apart, PEM or DER, as whoever judges them does.
  ///
  /// - Returns: for each that can be judged, when it begins and ends (seconds since 1970), and its key and signature in bits.
  package static func judgements(ofCertificates bytes: [UInt8]) -> [(begin: Int, end: Int, keyBits: Int, digestBits: Int)] {
    encodings(bytes).compactMap { der in
      guard let validity = CertificateValidity(der: der), let strength = CertificateStrength(der: der) else { return nil }
      return (validity.begin, validity.end, strength.key.bits, strength.digestBits)
    }
  }

  /// Why bytes are no private key that works, in words.
  package static func objection(toKey bytes: [UInt8]) -> String { PrivateKeyKind.objection(to: bytes) }

  private static func encodings(_ bytes: [UInt8]) -> [[UInt8]] {
    let isPEM = bytes.starts(with: "-----BEGIN".utf8)
    return isPEM ? ((try? NIOSSLCertificate.fromPEMBytes(bytes)) ?? []).compactMap { try? $0.toDERBytes() } : [bytes]
  }

  /// Whether bytes are a private key as the option takes it.
  package static func isPrivateKey(_ bytes: [UInt8]) -> Bool { (try? NIOSSLPrivateKey(bytes: bytes, format: .pem)) != nil }
}
