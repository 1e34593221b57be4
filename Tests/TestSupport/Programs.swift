// SPDX-License-Identifier: Apache-2.0
//
// Where the programs under test and the programs to test with are found, and whether they are there: suites are enabled
// by these answers.

import Foundation

/// One of the two implementations that tests hold against each other.
package enum Side: String, Sendable, CaseIterable, CustomStringConvertible {
  /// The programs of this package.
  case ours
  /// Open vSwitch's programs, as installed on this machine.
  case peer

  package var description: String { rawValue }

  package var server: String {
    switch self {
    case .ours: Programs.environment("OVSDB_TEST_SERVER") ?? Programs.built("ovsdb-server")
    case .peer: Programs.peer("ovsdb-server")
    }
  }

  /// `ovsdb-client`, `ovsdb-tool` or `ovs-appctl` of this side.
  package func tool(_ name: String) -> String {
    switch self {
    case .ours: Programs.environment("OVSDB_TEST_TOOLS").map { "\($0)/\(name)" } ?? Programs.built(name)
    case .peer: Programs.peer(name)
    }
  }
}

package enum Programs {
  package static func environment(_ name: String) -> String? {
    guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else { return nil }
    return value
  }

  /// A product of this package, beside the test bundle.
  package static func built(_ name: String) -> String { productDirectory + "/" + name }

  private static let productDirectory: String = {
    let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return (bundle as NSString).deletingLastPathComponent
  }()

  /// A program of Open vSwitch or OVN: from `OVSDB_TEST_PEER` (a directory) or the usual places.
  package static func peer(_ name: String) -> String { find(name) ?? name }

  package static func has(_ names: String...) -> Bool { names.allSatisfy { find($0) != nil } }

  private static func find(_ name: String) -> String? {
    let search = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let places =
      [environment("OVSDB_TEST_PEER")].compactMap { $0 } + search.split(separator: ":").map(String.init)
      + ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"]
    return places.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 && !$0.hasPrefix(productDirectory) }
  }

  package static let hasPeer = has("ovsdb-server", "ovsdb-client", "ovsdb-tool", "ovs-appctl")
  package static let hasVsctl = hasPeer && has("ovs-vsctl") && schema("vswitch") != nil
  package static let hasVswitchd = hasVsctl && has("ovs-vswitchd")
  package static let hasOVN =
    hasPeer && has("ovn-nbctl", "ovn-sbctl", "ovn-northd") && schema("ovn-nb") != nil && schema("ovn-sb") != nil
  package static let hasPythonIDL = hasVsctl && pythonImports("ovs")
  package static let hasPythonOvsdbapp = hasOVN && pythonImports("ovsdbapp")

  /// The path of a schema that Open vSwitch or OVN ships.
  package static func schema(_ name: String) -> String? {
    ["/usr/share/openvswitch", "/usr/share/ovn", "/usr/local/share/openvswitch", "/usr/local/share/ovn"]
      .map { "\($0)/\(name).ovsschema" }.first { access($0, R_OK) == 0 }
  }

  package static func requiredSchema(_ name: String) throws -> String {
    guard let path = schema(name) else { throw ProcessError("no \(name).ovsschema on this machine") }
    return path
  }

  private static func pythonImports(_ module: String) -> Bool {
    guard let directory = try? RunDirectory() else { return false }
    return (try? run("python3", ["-c", "import \(module)"], in: directory))?.status == 0
  }

  /// Whether the other side of the comparison is there: a server that knows its version.
  package static let hasOurs: Bool = {
    guard let directory = try? RunDirectory() else { return false }
    let result = try? run(Side.ours.server, ["--version"], in: directory)
    return result?.status == 0 && result?.standardOutput.contains("ovsdb-server") == true
  }()
}
