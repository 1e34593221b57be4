// SPDX-License-Identifier: Apache-2.0
//
// The TLS options as strings. What a value means (a file, `none`, or `db:DB,TABLE,COLUMN` for the server) is decided by
// whoever uses it.

package final class TLSOptions {
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

  package init() {}

  package var options: [CommandLineOption] {
    [
      CommandLineOption("private-key", letter: "p") { [self] in privateKey = $0 },
      CommandLineOption("certificate", letter: "c") { [self] in certificate = $0 },
      CommandLineOption("ca-cert", letter: "C") { [self] in (authority, bootstrapsAuthority) = ($0, false) },
      CommandLineOption("bootstrap-ca-cert") { [self] in (authority, bootstrapsAuthority) = ($0, true) },
      CommandLineOption("peer-ca-cert") { [self] in peerAuthority = $0 },
      CommandLineOption("ssl-protocols") { [self] in protocols = $0 },
      CommandLineOption("ssl-ciphers") { [self] in ciphers = $0 },
      CommandLineOption("ssl-ciphersuites") { [self] in ciphersuites = $0 },
      CommandLineOption("ssl-server-name") { [self] in serverName = $0 },
    ]
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

    """
}
