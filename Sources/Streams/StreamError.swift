// SPDX-License-Identifier: Apache-2.0
//
// Why a stream could not be opened.

import Glibc

/// A listening or connecting attempt that failed.
///
/// What exactly was wrong has been logged where it was found (`X: binding failed: ...`); what travels is the error number,
/// because that is what callers print: `punix:X: listen failed: No such file or directory`.
package struct StreamError: Error, Equatable, Sendable, CustomStringConvertible {
  package let errnoCode: CInt

  package init(errnoCode: CInt) {
    self.errnoCode = errnoCode
  }

  /// The text of the error number, as strerror(3) has it.
  package var description: String { errnoText(errnoCode) }
}

/// The text of an error number (strerror_r(3)).
package func errnoText(_ code: CInt) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
    buffer.initialize(repeating: 0)
    guard let base = buffer.baseAddress, strerror_r(code, base, buffer.count) == 0 else { return "error \(code)" }
    return String(cString: base)
  }
}
