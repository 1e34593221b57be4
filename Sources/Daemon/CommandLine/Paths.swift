// SPDX-License-Identifier: Apache-2.0
//
// The directories of an installation. The defaults are those of Debian's packages; each has an environment variable.

import Glibc

package enum Paths {
  /// Sockets and pid files.
  package static var runDirectory: String { environment("OVS_RUNDIR") ?? "/var/run/openvswitch" }
  package static var logDirectory: String { environment("OVS_LOGDIR") ?? "/var/log/openvswitch" }
  package static var configurationDirectory: String { environment("OVS_SYSCONFDIR") ?? "/etc" }
  /// Databases: `OVS_DBDIR`, else `openvswitch` inside the configuration directory.
  package static var databaseDirectory: String {
    environment("OVS_DBDIR") ?? "\(configurationDirectory)/openvswitch"
  }
  /// Schemas.
  package static var dataDirectory: String { environment("OVS_PKGDATADIR") ?? "/usr/share/openvswitch" }

  /// Of the process; `.` when it cannot be told (the directory was removed).
  package static var workingDirectory: String {
    guard let path = getcwd(nil, 0) else { return "." }
    defer { free(path) }
    return String(cString: path)
  }

  /// `path` itself when it is absolute, else inside `directory`.
  package static func absolute(_ path: String, in directory: String) -> String {
    path.utf8.first == UInt8(ascii: "/") ? path : "\(directory)/\(path)"
  }

  /// The value of an environment variable; nil when unset or empty.
  package static func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }
}
