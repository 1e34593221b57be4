// SPDX-License-Identifier: Apache-2.0
//
// How long work that is done in turns leaves the loop to the sockets.

package import NIOCore

extension TimeAmount {
  /// The event loop looks at the sockets when no task is due. So this is how long it is left to them between two turns.
  package static let breath = TimeAmount.microseconds(100)
}
