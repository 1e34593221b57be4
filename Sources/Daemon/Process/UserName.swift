// SPDX-License-Identifier: Apache-2.0
//
// Names of users.

import Glibc

package enum UserName {
  /// The name of a user id (getpwuid_r(3)).
  ///
  /// - Returns: nil for an id that no database of users knows.
  package static func of(_ user: uid_t) -> String? {
    // No entry is near this long; the call says so (ERANGE) should one be.
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16 << 10) { buffer in
      var entry = passwd()
      var found: UnsafeMutablePointer<passwd>?
      guard let base = buffer.baseAddress, getpwuid_r(user, &entry, base, buffer.count, &found) == 0, found != nil,
        let name = entry.pw_name
      else { return nil }
      return String(cString: name)
    }
  }
}
