// SPDX-License-Identifier: Apache-2.0
//
// What backups say of their source, waited for.

import TestSupport

extension DatabaseServer {
  /// Waits until `sync-status` contains some words.
  func waitForStatus(_ words: String) throws {
    var status = ""
    do {
      try waitUntil("status \(words)", seconds: 60) {
        status = try command("ovsdb-server/sync-status")
        return status.contains(words)
      }
    } catch {
      throw ProcessError("\(error): \(status)\n\(diagnosis)")
    }
  }
}
