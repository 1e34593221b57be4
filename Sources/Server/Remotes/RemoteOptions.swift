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
  /// - Parameters:
  ///   - place: the remote, as messages name it.
  ///   - problems: gets one line for each option that is unknown or has a wrong value; such an option keeps its default. Whether that
  ///     is an error is the caller's to decide: it depends on what the remote opens.
  /// - Throws: the options are no object, or `read-only` or `role` is not of its type: they restrict what clients may do, and to serve
  ///   without them would open more than was asked for.
  package init(json: JSONValue, of place: String, problems: inout [String]) throws(ConfigurationError) {
    self.init()
    if json.isNull { return }
    guard json.kind == .object else {
      throw ConfigurationError(description: "\(place): JSON-RPC options are not a JSON object or null")
    }
    for (name, value) in json.members {
      guard let option = Self.known.first(where: { name.isString($0.name) }) else {
        problems.append("\(place): unknown option '\(name.words)'; the options are \(Self.names)")
        continue
      }
      if option.read(&self, value) { continue }
      let problem = "\(place): '\(option.name)' must be \(option.values), not \(value.text())"
      if option.isRestricting { throw ConfigurationError(description: problem) }
      problems.append(problem)
    }
  }

  /// One option as the configuration file has it.
  private struct Option {
    let name: StaticString
    /// The values it takes, in words.
    let values: String
    var isRestricting = false
    /// Takes a value over; false for one that does not fit.
    let read: @Sendable (inout RemoteOptions, JSONValue) -> Bool
  }

  private static let known = [
    Option(name: "inactivity-probe", values: "a whole number of milliseconds, at least 0") { options, value in
      guard let milliseconds = value.integer, milliseconds >= 0 else { return false }
      options.probeMilliseconds = milliseconds
      return true
    },
    Option(name: "max-backoff", values: "a whole number of milliseconds, at least 0") { options, value in
      guard let milliseconds = value.integer, milliseconds >= 0 else { return false }
      options.maxBackoffMilliseconds = milliseconds
      return true
    },
    Option(name: "dscp", values: "between 0 and \(dscpMax)") { options, value in
      guard let dscp = value.integer.flatMap(UInt8.init(exactly:)), dscp <= dscpMax else { return false }
      options.dscp = dscp
      return true
    },
    Option(name: "read-only", values: "true or false", isRestricting: true) { options, value in
      guard let isReadOnly = value.boolean else { return false }
      options.isReadOnly = isReadOnly
      return true
    },
    Option(name: "role", values: "a string", isRestricting: true) { options, value in
      guard let role = value.string else { return false }
      options.role = role
      return true
    },
  ]

  private static let names = known.map { "\($0.name)" }.joined(separator: ", ")
}
