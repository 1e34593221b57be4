// SPDX-License-Identifier: Apache-2.0
//
// Python's clients on both servers: Open vSwitch's IDL (`pip install ovs`) and ovsdbapp, which OpenStack uses
// (`pip install ovsdbapp`). The scripts in python/ print what they see, and must see the same on both servers.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our ovsdb-server is not built"))
struct PythonClientTests {
  private static let scripts = (#filePath as NSString).deletingLastPathComponent + "/python"

  private func server(_ side: Side, schema: String) throws -> DatabaseServer {
    try DatabaseServer(side, [.schema(path: try Programs.requiredSchema(schema), file: "conf.db")])
  }

  /// Runs the IDL script with a restart of the server in its middle.
  private func exerciseIDL(on side: Side) throws -> (output: String, dump: [String]) {
    let server = try server(side, schema: "vswitch")
    let directory = server.directory
    let script = try ChildProcess(
      "python3",
      [
        Self.scripts + "/idl_exercise.py", server.remote, try Programs.requiredSchema("vswitch"), directory.path,
      ],
      environment: directory.environment.merging(["PYTHONUNBUFFERED": "1"]) { $1 }, directory: directory.path,
      output: directory.path("script.out"), errors: directory.path("script.err"))
    try waitUntil("half of the script", seconds: 60) {
      FileManager.default.fileExists(atPath: directory.path("half")) || !script.isRunning
    }
    try server.restart()
    try write("", to: directory.path("go"))
    let status = try script.waitForExit(seconds: 90)
    let output = try readText(directory.path("script.out"))
    guard status == 0 else {
      throw ProcessError("idl_exercise.py on \(side): \(output)\n\(try readText(directory.path("script.err")))")
    }
    return (output, try StructuralDump(of: "Open_vSwitch", over: try server.session()).lines)
  }

  @Test(
    "the Python IDL sees and does the same on both servers, across a restart",
    .enabled(if: Programs.hasPythonIDL, "Python's ovs package or Open vSwitch is not installed"))
  func pythonIDL() throws {
    let ours = try exerciseIDL(on: .ours)
    let peer = try exerciseIDL(on: .peer)
    #expect(ours.output == peer.output)
    #expect(differences(ours.dump, peer.dump) == "")
    #expect(peer.output.contains("bridge br0 True ['secure']"))
    #expect(peer.output.contains("duplicate name: error"))
  }

  @Test(
    "ovsdbapp sees and does the same on both servers",
    .enabled(if: Programs.hasPythonOvsdbapp, "Python's ovsdbapp package or Open vSwitch is not installed"))
  func ovsdbapp() throws {
    let results = try [Side.ours, .peer].map { side in
      let server = try server(side, schema: "ovn-nb")
      let output = try succeed(
        "python3", [Self.scripts + "/ovsdbapp_exercise.py", server.remote], in: server.directory, seconds: 90)
      return (output, try StructuralDump(of: "OVN_Northbound", over: try server.session()).lines)
    }
    #expect(results[0].0 == results[1].0)
    #expect(differences(results[0].1, results[1].1) == "")
    #expect(results[1].0.contains("event: True"))
    #expect(results[1].0.contains("ports: 0 rules: 0"))
  }
}
