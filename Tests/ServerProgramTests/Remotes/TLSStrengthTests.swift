// SPDX-License-Identifier: Apache-2.0
//
// Keys and signatures of certificates: which are too weak at which security level, which work, and what is said of those that do not.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct TLSStrengthTests {
  private static func curve(_ name: String) -> [String] { ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:\(name)"] }
  private static let weakKey = ["-newkey", "rsa:1024"]
  private static let anything = "--ssl-ciphers=HIGH:@SECLEVEL=0"

  @Test func weakClientsAreRefused() throws {
    let fixture = try TLSFixture()
    let (server, port) = try fixture.start()
    let (_, lenientPort) = try fixture.start([Self.anything])
    for (identity, words) in [
      (try fixture.authority.identity("key", subject: "/CN=key", keyOptions: Self.weakKey),
        "(certificate /CN=key: its key (RSA of 1024 bits) is too weak for security level 2)"),
      (try fixture.authority.identity("digest", subject: "/CN=digest", digest: "sha1"),
        "(certificate /CN=digest: its signature (SHA1) is too weak for security level 2)"),
    ] {
      #expect(try fixture.listDatabases(port, as: identity, options: [Self.anything]).status == 1)
      try server.waitForLog(words)
      #expect(try fixture.listDatabases(lenientPort, as: identity, options: [Self.anything]).status == 0)
    }
  }

  @Test func weakServersAreRefused() throws {
    let fixture = try TLSFixture()
    for (identity, words) in [
      (try fixture.authority.identity("key", subject: "/CN=key", keyOptions: Self.weakKey), "its key (RSA of 1024 bits) is too weak"),
      (try fixture.authority.identity("digest", subject: "/CN=digest", digest: "sha1"), "its signature (SHA1) is too weak"),
    ] {
      let (_, port) = try fixture.start([Self.anything], tls: identity.options(trusting: fixture.authority.certificate))
      let refused = try fixture.listDatabases(port)
      #expect(refused.status == 1 && refused.standardError.contains(words), "\(refused)")
      #expect(try fixture.listDatabases(port, options: [Self.anything]).status == 0)
    }
  }

  @Test func weakAuthoritiesAreRefusedButForTheirOwnSignature() throws {
    let fixture = try TLSFixture()
    let weak = try TestAuthority("weak", in: fixture.directory, keyOptions: Self.weakKey)
    let client = try weak.identity("client-weak", subject: "/CN=client")
    let (server, port) = try fixture.start(tls: fixture.server.options(trusting: weak.certificate))
    #expect(try fixture.listDatabases(port, as: client).status == 1)
    try server.waitForLog("(certificate /O=Test/CN=weak: its key (RSA of 1024 bits) is too weak for security level 2)")
    let old = try TestAuthority("old", in: fixture.directory, digest: "sha1")
    let (_, oldPort) = try fixture.start(tls: fixture.server.options(trusting: old.certificate))
    #expect(try fixture.listDatabases(oldPort, as: try old.identity("client-old", subject: "/CN=client")).status == 0)
  }

  @Test func aWeakCertificateOfOurOwnIsNotUsed() throws {
    let fixture = try TLSFixture()
    let weak = try fixture.authority.identity("key", subject: "/CN=key", keyOptions: Self.weakKey)
    let (server, port) = try fixture.start(tls: weak.options(trusting: fixture.authority.certificate))
    #expect(try fixture.listDatabases(port).status == 1)
    try server.waitForLog(
      "failed to load certificate from \(weak.certificate): certificate /CN=key: its key (RSA of 1024 bits) is too weak for security level 2")
  }

  /// Which level is the first that a key or digest is too weak for; 3 and above are spoken with suites that have them.
  @Test(arguments: [
    (["-newkey", "rsa:2048"], "sha256", 3), (["-newkey", "rsa:3072"], "sha256", 4), (curve("prime256v1"), "sha256", 4),
    (curve("secp384r1"), "sha384", 5), (curve("secp521r1"), "sha256", 4), (weakKey, "sha256", 2), (curve("prime256v1"), "sha1", 1),
  ])
  func eachLevelHasItsStrength(_ key: [String], _ digest: String, _ level: Int) throws {
    let fixture = try TLSFixture()
    let authority = try TestAuthority("strong", in: fixture.directory, keyOptions: Self.curve("secp521r1"))
    let server = try authority.identity("strong", subject: "/CN=strong", keyOptions: Self.curve("secp521r1"), digest: "sha512")
    let client = try authority.identity("c", subject: "/CN=c", keyOptions: key, digest: digest)
    for (number, isGood) in [(level - 1, true), (level, false)] {
      let options = ["--ssl-protocols=TLSv1.2", "--ssl-ciphers=HIGH:@SECLEVEL=\(number)"]
      let (log, port) = try fixture.start(options, tls: server.options(trusting: authority.certificate))
      let result = try fixture.listDatabases(
        port, as: client, trusting: authority.certificate, options: ["--ssl-protocols=TLSv1.2", Self.anything])
      #expect((result.status == 0) == isGood, "level \(number): \(result)")
      if !isGood { try log.waitForLog("is too weak for security level \(number))") }
    }
  }

  @Test(arguments: [
    ("HIGH:@SECLEVEL=6", "HIGH:@SECLEVEL=6: invalid command"), ("HIGH:@SECLEVEL", "HIGH:@SECLEVEL: invalid command"),
    ("HIGH:@foo", "HIGH:@foo: invalid command"),
    ("HIGH:@SECLEVEL=4", "HIGH:@SECLEVEL=4: security level 4 takes --ssl-protocols=TLSv1.2"),
    ("AES256-GCM-SHA384:@SECLEVEL=3", "AES256-GCM-SHA384:@SECLEVEL=3: no cipher match"),
  ])
  func aLevelThatCannotBeHeldIsRefused(_ ciphers: String, _ words: String) throws {
    let fixture = try TLSFixture()
    let (server, port) = try fixture.start(["--ssl-ciphers=\(ciphers)"])
    try server.waitForLog(words)
    #expect(try fixture.listDatabases(port).status == 1)
  }

  // MARK: - Kinds of keys

  @Test(arguments: [curve("secp384r1"), curve("secp521r1"), ["-newkey", "ed25519"]], Programs.hasPeer ? [Side.ours, .peer] : [.ours])
  func keysOfTheseKindsServeBothSidesAndAuthorities(_ key: [String], _ side: Side) throws {
    let fixture = try TLSFixture()
    let authority = try TestAuthority("kind", in: fixture.directory, keyOptions: key)
    let identity = try authority.identity("kind", subject: "/CN=kind", keyOptions: key)
    let (_, port) = try fixture.start(tls: identity.options(trusting: authority.certificate))
    let theirs = try fixture.listDatabases(port, as: identity, trusting: authority.certificate, side: side)
    #expect(theirs.status == 0, "\(theirs)")
    let (_, theirPort) = try fixture.start(tls: identity.options(trusting: authority.certificate), side: side)
    #expect(try fixture.listDatabases(theirPort, as: identity, trusting: authority.certificate).status == 0)
  }

  @Test(arguments: [
    (["-newkey", "ed448"], "Ed448"), (["-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"], "RSA-PSS"),
    (curve("secp256k1"), "secp256k1"), (curve("brainpoolP256r1"), "brainpoolP256r1"),
  ])
  func keysOfOtherKindsAreNamed(_ key: [String], _ kind: String) throws {
    let fixture = try TLSFixture()
    let authority = try TestAuthority("kind", in: fixture.directory, keyOptions: key)
    let identity = try fixture.authority.identity("kind", subject: "/CN=kind", keyOptions: key)
    let refused = try fixture.listDatabases(1, as: identity)
    #expect(refused.standardError.contains("failed to load private key from \(identity.key): keys of type \(kind) are not supported"))
    let (server, port) = try fixture.start(tls: fixture.server.options(trusting: authority.certificate))
    try server.waitForLog("CA certificate /O=Test/CN=kind in \(authority.certificate): keys of type \(kind)")
    #expect(try fixture.listDatabases(port).status == 1)
  }

  /// DSA keys are made of parameters that somebody chose before.
  @Test func authoritiesWithDSAVouchForNobody() throws {
    let fixture = try TLSFixture()
    let parameters = fixture.directory.path("dsa")
    try succeed(
      "/usr/bin/openssl", ["genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:2048", "-out", parameters],
      in: fixture.directory)
    let authority = try TestAuthority("dsa", in: fixture.directory, keyOptions: ["-newkey", "dsa:\(parameters)"])
    let client = try authority.identity("client-dsa", subject: "/CN=client")
    let (server, port) = try fixture.start(tls: fixture.server.options(trusting: authority.certificate))
    try server.waitForLog(
      "CA certificate /O=Test/CN=dsa in \(authority.certificate): keys of type DSA of 2048 bits are not supported")
    #expect(try fixture.listDatabases(port, as: client).status == 1)
    try server.waitForLog("SSL_accept: unsupported algorithm")
    let identity = try fixture.authority.identity("dsa-key", subject: "/CN=dsa", keyOptions: ["-newkey", "dsa:\(parameters)"])
    #expect(
      try fixture.listDatabases(1, as: identity).standardError.contains(
        "failed to load certificate from \(identity.certificate): keys of type DSA of 2048 bits are not supported"))
  }

  @Test func aCertificateThatIsNotForSignaturesIsNotUsed() throws {
    let fixture = try TLSFixture()
    let identity = try fixture.authority.identity("agreement", subject: "/CN=agreement", extensions: "keyUsage=keyAgreement")
    #expect(
      try fixture.listDatabases(1, as: identity).standardError.contains(
        "cannot use certificate \(identity.certificate): it may be that its key usage does not include digital signatures"))
  }

  @Test func whatIsNoKeyIsNamedToo() throws {
    let fixture = try TLSFixture()
    func refusal(of key: String) throws -> String {
      try fixture.listDatabases(1, as: .init(key: key, certificate: fixture.client.certificate)).standardError
    }
    let curve = try fixture.authority.identity("p224", subject: "/CN=p224", keyOptions: Self.curve("secp224r1"))
    #expect(
      try fixture.listDatabases(1, as: curve).standardError.contains(
        "failed to load certificate from \(curve.certificate): keys of type P-224 are not supported"))
    #expect(try refusal(of: fixture.client.certificate).contains("failed to load private key from \(fixture.client.certificate): not a PEM private key"))
    let secret = fixture.directory.path("secret")
    try succeed("/usr/bin/openssl", ["pkey", "-in", fixture.client.key, "-aes128", "-passout", "pass:x", "-out", secret], in: fixture.directory)
    #expect(try refusal(of: secret).contains("\(secret): the key has a passphrase"))
    let nonsense = fixture.directory.path("nonsense")
    try write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", to: nonsense)
    #expect(
      try fixture.listDatabases(1, as: .init(key: fixture.client.key, certificate: nonsense)).standardError.contains(
        "failed to load certificate from \(nonsense): a certificate in it cannot be read"))
  }
}
