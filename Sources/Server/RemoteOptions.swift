// SPDX-License-Identifier: Apache-2.0
//
// What is configured for a remote besides its name: by a Manager-like row (DatabaseRemotes.swift), by the configuration file, or not
// at all.

import JSON
import OVSDB
import Streams

/// The options of a remote.
package struct RemoteOptions: Equatable, Sendable {
  /// Nil: what the connection method has by default. 0: none.
  package var probeMilliseconds: Int64?
  package var maxBackoffMilliseconds: Int64 = 8000
  package var isReadOnly = false
  package var dscp: UInt8 = Listener.defaultDSCP
  /// What its clients may do, by the name of a row of `RBAC_Role`. Empty: everything.
  package var role = ""

  /// Shorter probes are raised to this.
  static let probeMillisecondsMin: Int64 = 1000
  /// Shorter pauses between attempts are raised to this: enough for a test, and no load.
  static let backoffMillisecondsMin: Int64 = 100
  static let dscpMax: Int64 = 63

  package init() {}
}

extension RemoteOptions {
  /// Reads the options of a remote in the configuration file.
  ///
  /// Shape: `{"inactivity-probe":MS, "max-backoff":MS, "dscp":0...63, "read-only":BOOLEAN, "role":STRING}`, each of them optional, or
  /// null.
  ///
  /// An option that is unknown or makes no sense is a warning, and what the others say counts. `read-only` and `role` are another
  /// matter: they restrict what clients may do, and to serve without them would open more than was asked for.
  ///
  /// - Parameters:
  ///   - place: the remote, as messages name it.
  ///   - warnings: gets what was ignored.
  /// - Throws: the options are no object, or one that restricts is not of its type.
  package init(json: JSONValue, of place: String, warnings: inout [String]) throws(ConfigurationError) {
    self.init()
    if json.isNull { return }
    guard json.kind == .object else {
      throw ConfigurationError(description: "\(place): JSON-RPC options are not a JSON object or null")
    }
    for (name, value) in json.members {
      if name.isString("read-only"), value.boolean == nil {
        throw ConfigurationError(description: "\(place): 'read-only' is neither true nor false")
      }
      if name.isString("role"), value.string == nil { throw ConfigurationError(description: "\(place): 'role' is not a string") }
    }
    var parser = ObjectParser(json, "JSON-RPC options")
    if let value = parser.optional("inactivity-probe", .integer)?.integer {
      if value < 0 { parser.fail("'inactivity-probe' is negative.") } else { probeMilliseconds = value }
    }
    if let value = parser.optional("max-backoff", .integer)?.integer {
      if value < 0 { parser.fail("'max-backoff' is negative.") } else { maxBackoffMilliseconds = value }
    }
    if let value = parser.optional("dscp", .integer)?.integer {
      if let value = UInt8(exactly: value), value <= Self.dscpMax {
        dscp = value
      } else {
        parser.fail("'dscp' is not between 0 and \(Self.dscpMax).")
      }
    }
    if let value = parser.optional("read-only", .boolean)?.boolean { isReadOnly = value }
    if let value = parser.optional("role", .string)?.string { role = value }
    if let error = parser.finish() { warnings.append("\(place): \(error)") }
  }
}
