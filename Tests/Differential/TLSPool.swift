// SPDX-License-Identifier: Apache-2.0
//
// Keys, certificates and authorities of every shape for the differential run over TLS settings: made once a run, as openssl(1) takes
// its time.

import Foundation
import TestSupport

/// Who shows what in a handshake.
struct TLSIdentity: Sendable {
  let label: String
  let key: String
  /// The certificate alone.
  let leaf: String
  /// What is sent behind it; nil: nothing.
  let chain: String?
  /// The certificate and what is sent behind it, as the programs of both sides take them.
  let certificate: String
  /// Its key, or what the certificate lets it be used for, is of a kind that compatibility.md has as not working with ours.
  let isForeignToUs: Bool

  /// The same with nothing behind it.
  var alone: TLSIdentity {
    TLSIdentity(label: label, key: key, leaf: leaf, chain: nil, certificate: leaf, isForeignToUs: isForeignToUs)
  }
}

/// A file with those whose signature counts.
struct TLSAuthorityFile: Sendable {
  let label: String
  /// `none`: nobody is checked.
  let path: String
}

final class TLSPool: Sendable {
  /// Nil when openssl(1) failed: the test that uses it throws why.
  static let shared = Result { try TLSPool() }

  nonisolated(unsafe) let directory: RunDirectory
  let identities: [TLSIdentity]
  let authorities: [TLSAuthorityFile]
  /// Without a fault.
  var good: TLSIdentity { identities[0] }
  /// The root alone.
  var root: TLSAuthorityFile { authorities[0] }

  static let expired = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]
  static let early = ["-startdate", "20990101000000Z", "-enddate", "20990201000000Z"]

  private init() throws {
    directory = try RunDirectory()
    var maker = try TLSPoolMaker(directory)
    try maker.makeIdentities()
    identities = maker.identities
    authorities = try maker.authorities()
  }
}

private struct TLSPoolMaker {
  let directory: RunDirectory
  let root, foreign, intermediate, old, expiredRoot, expiredIntermediate, cross, plain: TestAuthority
  var identities: [TLSIdentity] = []

  init(_ directory: RunDirectory) throws {
    self.directory = directory
    root = try TestAuthority("root", in: directory)
    foreign = try TestAuthority("foreign", in: directory)
    intermediate = try root.subordinate("intermediate")
    old = try TestAuthority("old", in: directory, digest: "sha1")
    expiredRoot = try root.certify(root, as: "expired-root", dates: TLSPool.expired)
    expiredIntermediate = try root.certify(intermediate, as: "expired-intermediate", dates: TLSPool.expired)
    cross = try foreign.certify(intermediate, as: "cross")
    // No authority, but it signs.
    plain = try root.subordinate("plain", extensions: "basicConstraints=CA:FALSE")
  }

  private mutating func add(
    _ label: String, by authority: TestAuthority? = nil, chain: [TestAuthority] = [], subject: String = "/O=Test/CN=leaf",
    dates: [String] = [], key: [String]? = nil, digest: String = "sha256", extensions: String = "keyUsage=digitalSignature,keyEncipherment",
    isForeignToUs: Bool = false
  ) throws {
    let file = "leaf-\(identities.count)"
    let identity = try (authority ?? root).identity(
      file, subject: subject, dates: dates, keyOptions: key, digest: digest, extensions: extensions)
    try add(label, identity, chain, isForeignToUs: isForeignToUs)
  }

  private mutating func add(
    _ label: String, _ identity: TestAuthority.Identity, _ chain: [TestAuthority] = [], isForeignToUs: Bool = false
  ) throws {
    let sent = try chain.map { try readText($0.certificate) }.joined()
    let (chainFile, bundle) = (identity.certificate + ".chain", identity.certificate + ".bundle")
    try write(sent, to: chainFile)
    try write(readText(identity.certificate) + sent, to: bundle)
    identities.append(
      TLSIdentity(
        label: label, key: identity.key, leaf: identity.certificate, chain: chain.isEmpty ? nil : chainFile, certificate: bundle,
        isForeignToUs: isForeignToUs))
  }

  mutating func makeIdentities() throws {
    try add("good")
    try makeChains()
    try makeDates()
    try makeKeys()
    try makeNames()
    try makeUses()
  }

  private mutating func makeChains() throws {
    try add("with the root behind it", chain: [root])
    try add("with an intermediate", by: intermediate, chain: [intermediate])
    try add("with an intermediate and the root", by: intermediate, chain: [intermediate, root])
    try add("without its intermediate", by: intermediate)
    try add("with its intermediate behind the root", by: intermediate, chain: [root, intermediate])
    try add("with a stranger behind it", chain: [foreign])
    try add("of a foreign authority", by: foreign)
    try add("cross-certified", by: intermediate, chain: [cross])
    try add("cross-certified in both ways", by: intermediate, chain: [cross, intermediate])
    try add("signed by no authority", by: plain, chain: [plain])
    try add("of an authority with SHA-1", by: old)
    try add("signing itself", try root.selfSigned("self", subject: "/O=Test/CN=self"))
    try add("signing itself by the root's name", try root.selfSigned("false-root", subject: "/O=Test/CN=root"))
  }

  private mutating func makeDates() throws {
    try add("expired", dates: TLSPool.expired)
    try add("not valid yet", dates: TLSPool.early)
    try add("with an expired intermediate", by: expiredIntermediate, chain: [expiredIntermediate])
    // The other way round our library gives up at the first: compatibility.md.
    try add("with a valid intermediate and an expired one", by: intermediate, chain: [intermediate, expiredIntermediate])
    try add("with the expired root behind it", by: intermediate, chain: [intermediate, expiredRoot])
  }

  private mutating func makeKeys() throws {
    func curve(_ name: String) -> [String] { ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:\(name)"] }
    try add("P-384", key: curve("secp384r1"), digest: "sha384")
    try add("P-521", key: curve("secp521r1"), digest: "sha512")
    try add("Ed25519", key: ["-newkey", "ed25519"])
    try add("RSA", key: ["-newkey", "rsa:2048"])
    try add("RSA of 1024 bits", key: ["-newkey", "rsa:1024"])
    try add("signed with SHA-1", digest: "sha1")
    try add("secp256k1", key: curve("secp256k1"), isForeignToUs: true)
    try add("Ed448", key: ["-newkey", "ed448"], isForeignToUs: true)
    try add("RSA-PSS", key: ["-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"], isForeignToUs: true)
  }

  private mutating func makeNames() throws {
    try add("without a common name", subject: "/O=Test")
    try add("with a long name", subject: "/CN=\(String(repeating: "x", count: 64))")
    try add("named in UTF-8", subject: "/CN=Gerät")
    try add("named like its authority", subject: "/O=Test/CN=root")
    try add("for a host", extensions: "subjectAltName=DNS:other.example.test,IP:192.0.2.1")
  }

  private mutating func makeUses() throws {
    try add("for clients", extensions: "extendedKeyUsage=clientAuth")
    try add("for servers", extensions: "extendedKeyUsage=serverAuth")
    try add("for mail", extensions: "extendedKeyUsage=emailProtection")
    try add("for agreement alone", extensions: "keyUsage=keyAgreement", isForeignToUs: true)
    try add("an authority itself", extensions: TestAuthority.authorityExtensions, isForeignToUs: true)
    try add("with an unknown critical extension", extensions: "1.2.3.4=critical,ASN1:UTF8String:x")
  }

  func authorities() throws -> [TLSAuthorityFile] {
    func file(_ label: String, _ authorities: TestAuthority...) throws -> TLSAuthorityFile {
      let path = directory.path("trusted-\(label.replacing(" ", with: "-")).pem")
      try write(try authorities.map { try readText($0.certificate) }.joined(), to: path)
      return TLSAuthorityFile(label: label, path: path)
    }
    return [
      try file("the root", root), try file("the root and others", foreign, root, old), try file("a foreign root", foreign),
      try file("the intermediate alone", intermediate), try file("the root and its intermediate", root, intermediate),
      try file("the expired root", expiredRoot), try file("the expired root and the valid one", expiredRoot, root),
      TLSAuthorityFile(label: "nobody", path: "none"),
    ]
  }
}
