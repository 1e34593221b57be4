// SPDX-License-Identifier: Apache-2.0

internal import NIOCore
internal import NIOSSL

/// The words of the TLS library's errors.
enum TLSErrorText {
  /// `certificate verify failed`.
  static func words(_ error: any Error) -> String {
    let stack: NIOBoringSSLErrorStack =
      switch error {
      case NIOSSLError.handshakeFailed(.sslError(let stack)), BoringSSLError.sslError(let stack), BoringSSLError.unknownError(let stack):
        stack
      default: []
      }
    guard let first = stack.first else {
      return (error as? IOError).map { errnoText($0.errnoCode) } ?? "\(error)"
    }
    if first == .eofDuringHandshake { return "unexpected eof while reading" }
    // Error: NUMBER error:CODE:LIBRARY:FUNCTION:REASON at FILE:LINE
    let message = "\(first)".split(separator: " at ").first ?? "error"
    return (message.split(separator: ":").last ?? message).lowercased().replacing("_", with: " ")
  }
}
