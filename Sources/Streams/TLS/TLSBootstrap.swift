// SPDX-License-Identifier: Apache-2.0
//
// Learning a CA certificate from the first peer (`--bootstrap-ca-cert`): trust on first use.

internal import Crypto
import Glibc
internal import Logging
internal import NIOSSL

/// The CA certificate that a peer sent.
struct TLSBootstrap {
  private let der: [UInt8]
  private let subject: String

  /// Finds it: the last certificate of the chain that signs itself. One that does not could not be trusted as a root.
  init?(chain: [NIOSSLCertificate]) {
    let roots = chain.reversed().lazy.compactMap { certificate -> (bytes: [UInt8], name: CertificateName)? in
      guard let bytes = try? certificate.toDERBytes(), let name = CertificateName(der: bytes), name.isSelfIssued else {
        return nil
      }
      return (bytes, name)
    }
    guard let root = roots.first else { return nil }
    der = root.bytes
    subject = root.name.subject
  }

  /// Writes it into a new file. The file appears whole or not at all, and one that another process made in the meantime is left alone.
  ///
  /// - Returns: whether the file is there now.
  func store(in path: String) -> Bool {
    let text = Array("-----BEGIN CERTIFICATE-----\n\(Self.base64(der))-----END CERTIFICATE-----\n".utf8)
    let temporary = "\(path).\(getpid()).tmp"
    unlink(temporary)
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o444)
    guard descriptor >= 0 else { return failed("creating", temporary) }
    defer { unlink(temporary) }
    let isWritten = text.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == text.count && fsync(descriptor) == 0
    let writeError = errno
    guard Glibc.close(descriptor) == 0, isWritten else {
      errno = writeError
      return failed("writing", temporary)
    }
    guard link(temporary, path) == 0 else {
      guard errno == EEXIST else { return failed("creating", path) }
      Log.streamSSL.info("reading CA cert \(path) created by another process")
      return true
    }
    Log.streamSSL.info("successfully bootstrapped CA cert to \(path)")
    let fingerprint = Insecure.SHA1.hash(data: der).map { Self.hexadecimal($0) }.joined(separator: ":")
    Log.streamSSL.info("Trusting CA cert from \(path) (\(subject)) (fingerprint \(fingerprint))")
    return true
  }

  private func failed(_ what: String, _ path: String) -> Bool {
    Log.streamSSL.error("could not bootstrap CA cert: \(what) \(path) failed: \(errnoText(errno))")
    return false
  }

  private static func hexadecimal(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return digits.count == 1 ? "0\(digits)" : digits
  }

  /// Base 64 in lines of 64 characters (RFC 7468 §2).
  static func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      if start > 0, start.isMultiple(of: 48) { text.append(UInt8(ascii: "\n")) }
      let group = bytes[start...].prefix(3)
      let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
      for position in 0..<4 {
        text.append(position <= group.count ? alphabet[bits >> (18 - 6 * position) & 63] : UInt8(ascii: "="))
      }
    }
    return String(decoding: text, as: UTF8.self) + "\n"
  }
}
