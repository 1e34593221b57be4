// SPDX-License-Identifier: Apache-2.0
//
// Why a stream could not be opened.

import Glibc

/// A listening or connecting attempt that failed.
///
/// What exactly was wrong has been logged where it was found (`X: binding failed: ...`); what travels is the error number,
/// because that is what callers print: `punix:X: listen failed: No such file or directory`. What goes wrong with TLS has no error number
/// of its own; of that the words travel, too. Errors are equal when their numbers are.
package struct StreamError: Error, Equatable, Sendable, CustomStringConvertible {
  package let errnoCode: CInt
  /// What is wrong, where the number does not say it.
  package let words: String?
  /// Nobody knows the host's name; the number is the one that the reference reports then.
  package let isOfUnknownHost: Bool

  package init(errnoCode: CInt, words: String? = nil, isOfUnknownHost: Bool = false) {
    self.errnoCode = errnoCode
    self.words = words
    self.isOfUnknownHost = isOfUnknownHost
  }

  /// What is wrong, or the text of the error number, as strerror(3) has it.
  package var description: String { words ?? errnoText(errnoCode) }

  package static func == (left: StreamError, right: StreamError) -> Bool { left.errnoCode == right.errnoCode }
}

/// What the library reports of an established TLS connection while it is read, such as that the peer refuses our certificate.
package struct TLSReadError: Error, CustomStringConvertible {
  package let description: String
}

/// The text of an error number (strerror_r(3)).
package func errnoText(_ code: CInt) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
    buffer.initialize(repeating: 0)
    guard let base = buffer.baseAddress, strerror_r(code, base, buffer.count) == 0 else { return "error \(code)" }
    return String(cString: base)
  }
}
