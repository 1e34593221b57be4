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
    let isPEM = bytes.starts(with: "-----BEGIN".utf8)
    let encoded = isPEM ? ((try? NIOSSLCertificate.fromPEMBytes(bytes)) ?? []).compactMap { try? $0.toDERBytes() } : [bytes]
    return encoded.compactMap { CertificateName(der: $0) }.map { ($0.commonName, $0.subject) }
  }

  /// Whether bytes are a private key as the option takes it.
  package static func isPrivateKey(_ bytes: [UInt8]) -> Bool { (try? NIOSSLPrivateKey(bytes: bytes, format: .pem)) != nil }
}
