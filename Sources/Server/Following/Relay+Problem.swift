// SPDX-License-Identifier: Apache-2.0
//
// Why a relay has no source, in one sentence for all who ask: clients, `sync-status`, `get-db-storage-status`.

import Daemon

extension Relay {
  /// Why no source is of use at present; nil while the relay follows one, or is about to for all that is known.
  var problem: String? {
    if state == .following { return nil }
    let words = refusal ?? (link.isConnected ? nil : "the source \(link.name) is not connected")
    return (link.failure.map { "the source \($0)" } ?? words)?.escapingControlCharacters()
  }
}
