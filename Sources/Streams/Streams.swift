// SPDX-License-Identifier: Apache-2.0
//
// Streams: byte streams by name. A `ConnectionMethod` is what a user writes (`punix:db.sock`, `tcp:[::1]:6640`); a
// `Listener` accepts connections on the passive ones and `dial` opens the active ones. What comes out is a channel of
// SwiftNIO on an event loop; what is said over it is the business of the targets above.
//
// Sockets are made here by system calls and only then handed to SwiftNIO: modes of socket files, the checks of inherited
// descriptors and the texts of errors are part of what users of these programs know, and NIO has its own ideas of them.

import Glibc
internal import Logging

/// The loggers of this target. A label is the name of a logging module (`vlog/set MODULE`).
enum Log {
  static let stream = Logger(label: "stream")
  static let streamFD = Logger(label: "stream_fd")
  static let streamTCP = Logger(label: "stream_tcp")
  static let streamUnix = Logger(label: "stream_unix")
  static let streamSSL = Logger(label: "stream_ssl")
  static let socketUtil = Logger(label: "socket_util")
  static let socketUtilUnix = Logger(label: "socket_util_unix")
  static let resolve = Logger(label: "dns_resolve")
  static let reconnect = Logger(label: "reconnect")

  /// Marks what a peer can bring about as often as it likes: a backend logs only some of it.
  static func limited(_ kind: String) -> Logger.Metadata { ["rate-limit": .string(kind)] }
}
