// SPDX-License-Identifier: Apache-2.0
//
// Commands about files of cluster members. We read them, tell what they are, hold them against each other and make standalone files
// of them; we do not run clusters, so the commands that make members say what there is in their place.

import Daemon
import Glibc
import Journal

enum ClusterCommands {
  @Sendable static func clusterID(_ invocation: Invocation) throws(ToolError) -> Int32 {
    let path = invocation.arguments[0]
    guard let id = try ClusterFile.header(path).clusterID else {
      var error = ToolError("\(path): cluster ID not yet known", status: InspectCommands.no)
      error.hasProgramName = false
      throw error
    }
    return print(id)
  }

  @Sendable static func serverID(_ invocation: Invocation) throws(ToolError) -> Int32 {
    try print(ClusterFile.header(invocation.arguments[0]).serverID)
  }

  @Sendable static func localAddress(_ invocation: Invocation) throws(ToolError) -> Int32 {
    try print(ClusterFile.header(invocation.arguments[0]).localAddress)
  }

  private static func print(_ line: String) -> Int32 {
    Program.writeOutput("\(line)\n")
    return EXIT_SUCCESS
  }

  @Sendable static func create(_ invocation: Invocation) throws(ToolError) -> Int32 { throw unsupported("create-cluster") }
  @Sendable static func join(_ invocation: Invocation) throws(ToolError) -> Int32 { throw unsupported("join-cluster") }

  private static func unsupported(_ command: String) -> ToolError {
    ToolError(
      """
      \(command): clustered databases are not supported. In their place: a standalone database (ovsdb-tool create); a second server \
      that takes over (active-backup: ovsdb-server --sync-from); relays for many readers (ovsdb-server relay:DB:REMOTE)
      """)
  }

  @Sendable static func toStandalone(_ invocation: Invocation) throws(ToolError) -> Int32 {
    let (output, input) = (invocation.arguments[0], invocation.arguments[1])
    let kind = try ToolError.wrapping { () throws(LogError) in try DatabaseFile.kind(of: input) }
    guard kind == .clustered else { throw ToolError("Database is not clustered db.\n") }
    try StandaloneConversion.run(from: input, to: output)
    return EXIT_SUCCESS
  }
}
