// SPDX-License-Identifier: Apache-2.0
//
// The name of a remote of the server, parsed once, where it comes in. From here on nobody reads the text again to find out what it
// means, and nothing but the command line can make a descriptor a remote.

import OVSDB
import Streams

/// What a remote of the server is named: a connection method, or a column whose values are connection methods.
enum RemoteName: Hashable, Sendable {
  case method(ConnectionMethod)
  case column(DatabaseColumn.Path)

  /// - Throws: what is wrong with the name: no such method, an impossible host, port or number, `pfd:` from an origin other than the
  ///   command line, or `db:` without three parts. Whether the column exists is not looked at.
  init(_ name: String, origin: ConnectionMethod.Origin) throws(ConfigurationError) {
    if ConnectionMethod.hasScheme(name, "db") {
      self = .column(try DatabaseColumn.Path(name))
      return
    }
    do throws(ConnectionMethod.Refusal) {
      self = .method(try ConnectionMethod.parse(name, origin: origin))
    } catch {
      throw ConfigurationError(description: error.description)
    }
  }

  /// The column that a `db:` name refers to.
  var path: DatabaseColumn.Path? {
    if case .column(let path) = self { path } else { nil }
  }
}
