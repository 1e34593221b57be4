// SPDX-License-Identifier: Apache-2.0
//
// Certificates for tests of TLS, made by openssl(1).

import Foundation

/// A certificate authority in a directory, and what it signed.
package final class TestAuthority {
  package let directory: RunDirectory
  /// The CA's certificate.
  package let certificate: String
  private let key: String
  private let subject: String

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
    certificate = directory.path("\(name)-cacert.pem")
    key = directory.path("\(name)-cakey.pem")
    subject = "/O=Test/CN=\(name)"
    try openssl(
      ["req", "-x509", "-\(digest)"] + keyOptions
        + ["-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", subject])
  }

  private init(key: String, certificate: String, subject: String, in directory: RunDirectory) {
    self.directory = directory
    (self.key, self.certificate, self.subject) = (key, certificate, subject)
  }

  /// Signs an authority below this one.
  package func subordinate(_ name: String, dates: [String]? = nil, extensions: String = authorityExtensions) throws -> TestAuthority {
    let subject = "/O=Test/CN=\(name)"
    let identity = try identity(name, subject: subject, dates: dates ?? [], extensions: extensions)
    return TestAuthority(key: identity.key, certificate: identity.certificate, subject: subject, in: directory)
  }

  /// Signs another certificate for the name and the key of an authority, which may be this one.
  package func certify(_ other: TestAuthority, as name: String, dates: [String] = []) throws -> TestAuthority {
    let request = directory.path("\(name).csr")
    let certificate = directory.path("\(name)-cert.pem")
    try openssl(["req", "-new", "-key", other.key, "-out", request, "-subj", other.subject])
    try sign(
      request, other.subject, into: certificate, dates + (other === self ? ["-selfsign"] : []), extensions: Self.authorityExtensions)
    return TestAuthority(key: other.key, certificate: certificate, subject: other.subject, in: directory)
  }

  /// What makes a certificate that of an authority.
  package static let authorityExtensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign"

  /// Signs a new key.
  ///
  /// - Parameters:
  ///   - file: how its files are called.
  ///   - subject: whose it is, such as `/O=Test/CN=name`.
  ///   - isRSA: whether the key is one of RSA, and not of an elliptic curve.
  ///   - dates: options of openssl-ca(1) such as `-enddate`, or nil: from now on for two days.
  ///   - keyOptions: options of openssl-req(1) that choose another kind of key.
  ///   - digest: what the CA signs with.
  ///   - extensions: lines of x509v3_config(5).
  package func identity(
    _ file: String, subject: String, dates: [String]? = nil, isRSA: Bool = false, keyOptions: [String]? = nil, digest: String = "sha256",
    extensions: String? = nil
  ) throws -> Identity {
    let identity = Identity(key: directory.path("\(file)-privkey.pem"), certificate: directory.path("\(file)-cert.pem"))
    let request = directory.path("\(file).csr")
    let kind = keyOptions ?? (isRSA ? ["-newkey", "rsa:2048"] : Self.elliptic)
    try openssl(["req", "-new"] + kind + ["-nodes", "-keyout", identity.key, "-out", request, "-subj", subject])
    if dates == nil, extensions == nil {
      try openssl([
        "x509", "-req", "-\(digest)", "-in", request, "-CA", certificate, "-CAkey", key, "-set_serial",
        "\(UInt32.random(in: 1...UInt32.max))", "-days", "2", "-out", identity.certificate,
      ])
      return identity
    }
    try sign(request, subject, into: identity.certificate, ["-md", digest] + (dates ?? []), extensions: extensions)
    return identity
  }

  /// - Parameter options: of openssl-ca(1).
  private func sign(_ request: String, _ subject: String, into output: String, _ options: [String], extensions: String?) throws {
    let database = request + ".ca"
    try write("", to: database)
    try write(
      "[ca]\ndefault_ca=d\n[d]\ndatabase=\(database)\nnew_certs_dir=\(directory.path)\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n"
        + "default_days=2\nunique_subject=no\n[p]\n[e]\n\(extensions ?? "")\n",
      to: database + ".conf")
    try openssl(
      ["ca", "-batch", "-notext", "-preserveDN", "-config", database + ".conf", "-cert", certificate, "-keyfile", key,
        "-in", request, "-subj", subject, "-out", output] + (extensions == nil ? [] : ["-extensions", "e"]) + options)
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
