// SPDX-License-Identifier: Apache-2.0
//
// Client: the other end of an OVSDB connection, for the command line tools, for tests and for a server that follows another.
// `ClientSession` is one connection: calls with their replies, notifications in their order. `Backoff` says when to try
// again, `ClientSession.first` tries a list of remotes. `SourceLink` is the lasting connection of a server that follows another.

internal import Logging

/// The loggers of this target. A label is the name of a logging module (`vlog/set MODULE`).
enum Log {
  static let reconnect = Logger(label: "reconnect")
}
