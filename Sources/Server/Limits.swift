// SPDX-License-Identifier: Apache-2.0
//
// What a client may make the server hold. Everything that grows by a client's doing has its limit here or in the file that is named.

/// The server's limits. Others: `Session.outputBytesMax` (bytes waiting for one client before its updates are added up),
/// `History.commitsMax`, JSON's nesting depth.
package struct Limits: Sendable {
  /// The longest message of a client, in bytes. The peer has no limit but memory; half a gigabyte is more than any database that
  /// can be served.
  package var messageBytesMax = 512 << 20

  package init() {}
}
