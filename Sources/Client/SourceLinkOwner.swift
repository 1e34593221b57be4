// SPDX-License-Identifier: Apache-2.0
//
// What a lasting connection to another server says to the one who uses it.

package import JSON

/// What a link tells the one who uses it, on the event loop.
package protocol SourceLinkOwner: AnyObject {
  /// A connection stands; nothing was asked yet.
  func linkConnected(_ link: SourceLink)
  /// The source sent something by itself. The views last until the call returns.
  func link(_ link: SourceLink, received method: JSONValue, _ params: JSONValue)
  /// All that had arrived was handed over.
  func linkDrained(_ link: SourceLink)
  /// The source takes requests again.
  func linkBecameWritable(_ link: SourceLink)
  /// A connection that stood is gone. Calls without a reply have been told before.
  func linkLost(_ link: SourceLink)
}

/// The answer to a call.
package enum SourceReply {
  case result(JSONValue)
  /// A bare string or an error object.
  case error(JSONValue)
  /// The connection ended first.
  case lost
}
