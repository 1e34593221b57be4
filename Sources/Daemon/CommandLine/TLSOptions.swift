// SPDX-License-Identifier: Apache-2.0
//
// The TLS options as strings. What a value means (a file, `none`, or `db:DB,TABLE,COLUMN` for the server) is decided by
// whoever uses it.

package final class TLSOptions {
  package struct Values: Equatable, Sendable {
    package var privateKey: String?
    package var certificate: String?
    package var authority: String?
    /// `--bootstrap-ca-cert` gave `authority`: learn it from the first peer when the file is missing.
    package var bootstrapsAuthority = false
    package var peerAuthority: String?
    package var protocols: String?
    package var ciphers: String?
    package var ciphersuites: String?
    package var serverName: String?
    /// Seconds; nil: `never`. An hour is more than clocks differ, and long enough for a certificate that is replaced late not to cost a
    /// connection; nobody who is no longer to be trusted stays for longer.
    package var expiryGrace: Int64? = 3600

    package init() {}
  }

  package private(set) var values = Values()

  package init() {}

  package var options: [CommandLineOption] {
    [
      CommandLineOption("private-key", letter: "p") { [self] in values.privateKey = Self.file($0) },
      CommandLineOption("certificate", letter: "c") { [self] in values.certificate = Self.file($0) },
      CommandLineOption("ca-cert", letter: "C") { [self] in (values.authority, values.bootstrapsAuthority) = (Self.file($0), false) },
      CommandLineOption("bootstrap-ca-cert") { [self] in (values.authority, values.bootstrapsAuthority) = (Self.file($0), true) },
      CommandLineOption("peer-ca-cert") { [self] in values.peerAuthority = Self.file($0) },
      CommandLineOption("ssl-protocols") { [self] in values.protocols = $0 },
      CommandLineOption("ssl-ciphers") { [self] in values.ciphers = $0 },
      CommandLineOption("ssl-ciphersuites") { [self] in values.ciphersuites = $0 },
      CommandLineOption("ssl-server-name") { [self] in values.serverName = $0 },
      CommandLineOption("ssl-expiry-grace") { [self] (text) throws(UsageError) in values.expiryGrace = try Self.grace(text) },
    ]
  }

  /// Files are looked at again and again, also after a daemon has left its directory.
  private static func file(_ text: String) -> String {
    text == "none" || text.hasPrefix("db:") ? text : Paths.absolute(text, in: Paths.workingDirectory)
  }

  private static func grace(_ text: String) throws(UsageError) -> Int64? {
    guard text != "never" else { return nil }
    guard let seconds = UInt32(text) else {
      throw UsageError("argument \"\(text)\" to --ssl-expiry-grace is neither a number of seconds nor \"never\"")
    }
    return Int64(seconds)
  }

  package static let usage = """
    PKI configuration (required to use SSL):
      -p, --private-key=FILE  file with private key
      -c, --certificate=FILE  file with certificate for private key
      -C, --ca-cert=FILE      file with peer CA certificate
      --bootstrap-ca-cert=FILE  file with peer CA certificate to read or create
    SSL options:
      --ssl-protocols=PROTOS  list of SSL protocols to enable
      --ssl-ciphers=CIPHERS   list of SSL ciphers to enable
      --ssl-expiry-grace=SECS end connections so long after certificates expire

    """
}
