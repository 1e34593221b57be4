// SPDX-License-Identifier: Apache-2.0
//
// Certificates for tests of TLS, made by openssl(1).

import Foundation

/// A certificate authority in a directory, and what it signed.
package final class TestAuthority {
  package let directory: RunDirectory
  private let name: String

  /// A key and a certificate that belong together.
  package struct Identity: Sendable {
    package let key: String
    package let certificate: String

    package init(key: String, certificate: String) {
      self.key = key
      self.certificate = certificate
    }

    /// The options of programs that show this identity and trust a CA.
    package func options(trusting authority: String) -> [String] { ["-p", key, "-c", certificate, "-C", authority] }
  }

  /// Makes a CA whose certificate signs itself.
  ///
  /// - Parameters:
  ///   - keyOptions: options of openssl-req(1) that choose the kind of its key.
  ///   - digest: what it signs itself with.
  package init(
    _ name: String, in directory: RunDirectory, keyOptions: [String] = TestAuthority.elliptic, digest: String = "sha256"
  ) throws {
    self.directory = directory
    self.name = name
    try openssl(
      ["req", "-x509", "-\(digest)"] + keyOptions
        + ["-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/O=Test/CN=\(name)"])
  }

  /// The CA's certificate.
  package var certificate: String { directory.path("\(name)-cacert.pem") }
  private var key: String { directory.path("\(name)-cakey.pem") }

  /// Signs a new key.
  ///
  /// - Parameters:
  ///   - file: how its files are called.
  ///   - subject: whose it is, such as `/O=Test/CN=name`.
  ///   - isRSA: whether the key is one of RSA, and not of an elliptic curve.
  ///   - dates: options of openssl-ca(1) such as `-enddate`, or nil: from now on for two days.
  ///   - keyOptions: options of openssl-req(1) that choose another kind of key.
  ///   - digest: what the CA signs with.
  package func identity(
    _ file: String, subject: String, dates: [String]? = nil, isRSA: Bool = false, keyOptions: [String]? = nil, digest: String = "sha256"
  ) throws -> Identity {
    let identity = Identity(key: directory.path("\(file)-privkey.pem"), certificate: directory.path("\(file)-cert.pem"))
    let request = directory.path("\(file).csr")
    let kind = keyOptions ?? (isRSA ? ["-newkey", "rsa:2048"] : Self.elliptic)
    try openssl(["req", "-new"] + kind + ["-nodes", "-keyout", identity.key, "-out", request, "-subj", subject])
    guard let dates else {
      try openssl([
        "x509", "-req", "-\(digest)", "-in", request, "-CA", certificate, "-CAkey", key, "-set_serial", "\(UInt32.random(in: 1...UInt32.max))",
        "-days", "2", "-out", identity.certificate,
      ])
      return identity
    }
    let database = directory.path("\(file)-ca")
    try write("", to: database)
    try write(
      "[ca]\ndefault_ca=d\n[d]\ndatabase=\(database)\nnew_certs_dir=\(directory.path)\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\n",
      to: database + ".conf")
    try openssl(
      ["ca", "-batch", "-notext", "-preserveDN", "-config", database + ".conf", "-cert", certificate, "-keyfile", key,
        "-in", request, "-subj", subject, "-out", identity.certificate] + dates)
    return identity
  }

  /// An identity that no CA signed.
  package func selfSigned(_ file: String, subject: String) throws -> Identity {
    let identity = Identity(key: directory.path("\(file)-privkey.pem"), certificate: directory.path("\(file)-cert.pem"))
    try openssl(
      ["req", "-x509"] + Self.elliptic
        + ["-nodes", "-keyout", identity.key, "-out", identity.certificate, "-days", "2", "-subj", subject])
    return identity
  }

  /// Keys that are made in no time.
  package static let elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]

  private func openssl(_ arguments: [String]) throws { try succeed("/usr/bin/openssl", arguments, in: directory) }
}
