// SPDX-License-Identifier: Apache-2.0
//
// What an operator chose for TLS, as values. `TLSContext` makes it work; the options that set it are in `TLSOptions` (Daemon).

/// The TLS settings of a process.
package struct TLSSettings: Equatable, Sendable {
  /// Whose signature makes the certificate of a peer good.
  package enum Authority: Equatable, Sendable {
    /// A file with CA certificates.
    case file(String)
    /// A file that is written from what the first peer sends, if it does not exist.
    case bootstrap(String)
    /// Nobody's: peers are not checked (`-C none`).
    case unchecked
  }

  /// A PEM file with our private key.
  package var privateKey: String?
  /// A PEM file with our certificate, and perhaps intermediate ones after it.
  package var certificate: String?
  package var authority: Authority?
  /// A PEM file with the CA certificate that is sent to peers, for those that bootstrap.
  package var peerAuthority: String?
  /// `TLSv1.2,TLSv1.3`, `TLSv1.2-TLSv1.3`, `TLSv1.2+`.
  package var protocols: String?
  /// Cipher suites of TLS 1.2 in OpenSSL's notation (ciphers(1)).
  package var ciphers: String?
  /// Cipher suites of TLS 1.3.
  package var ciphersuites: String?
  /// The name we ask servers for (RFC 6066 §3) instead of the host's.
  package var serverName: String?
  /// Seconds for which a connection goes on after a certificate of its peer has run out; nil: it does not end for that.
  package var expiryGrace: Int64?

  package init() {}

  /// - Parameters:
  ///   - authority: a file, or `none`; empty or nil: not configured.
  ///   - bootstraps: the file may have to be learned.
  ///   - expiryGrace: in seconds; nil: without end.
  package init(
    privateKey: String?, certificate: String?, authority: String?, bootstraps: Bool, peerAuthority: String?,
    protocols: String?, ciphers: String?, ciphersuites: String?, serverName: String?,
    expiryGrace: Int64? = nil
  ) {
    self.privateKey = privateKey
    self.certificate = certificate
    if let authority {
      self.authority = authority == "none" ? .unchecked : bootstraps ? .bootstrap(authority) : .file(authority)
    }
    self.peerAuthority = peerAuthority
    self.protocols = protocols
    self.ciphers = ciphers
    self.ciphersuites = ciphersuites
    self.serverName = serverName
    self.expiryGrace = expiryGrace
  }

  /// The files that the settings are made of.
  var files: [String] {
    var files = [privateKey, certificate, peerAuthority].compactMap { $0 }
    switch authority {
    case .file(let path), .bootstrap(let path): files.append(path)
    case .unchecked, nil: break
    }
    return files
  }
}
