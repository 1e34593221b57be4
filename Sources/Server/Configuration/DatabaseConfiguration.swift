// SPDX-License-Identifier: Apache-2.0
//
// How a database is served, as a value: what the configuration file says of it, or what the command line amounts to.
//
// Source: Documentation/protocol/server.md#configuration-file (Open vSwitch from 3.3 on).

import Streams

/// How a database is served.
package struct DatabaseConfiguration: Equatable, Sendable {
  package enum ServiceModel: Equatable, Sendable {
    /// A file is served as what it is. It has to be standalone here.
    case unspecified
    case standalone
    /// Known by name, to be refused with a reason.
    case clustered
    /// A copy that is kept of the source (`isBackup`) or has taken its place. `source` is there when `isBackup`.
    case activeBackup(isBackup: Bool, source: Source?, excludedTables: Set<String>)
    /// A copy in memory; the database has a name and no file.
    case relay(source: Source)

    var isRelay: Bool { if case .relay = self { true } else { false } }

    /// As the file names it.
    package var name: String {
      switch self {
      case .unspecified: ""
      case .standalone: "standalone"
      case .clustered: "clustered"
      case .activeBackup: "active-backup"
      case .relay: "relay"
      }
    }
  }

  /// Where the copy comes from.
  package struct Source: Equatable, Sendable {
    package var method: ConnectionMethod
    package var options: RemoteOptions

    package init(method: ConnectionMethod, options: RemoteOptions = RemoteOptions()) {
      self.method = method
      self.options = options
    }
  }

  package var serviceModel: ServiceModel

  package init(serviceModel: ServiceModel = .unspecified) {
    self.serviceModel = serviceModel
  }
}
