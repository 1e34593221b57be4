// SPDX-License-Identifier: Apache-2.0
//
// Commands that tell what a file is: names, versions, checksums, kinds.

import Daemon
import Glibc
import Journal
import OVSDB

enum InspectCommands {
  /// A negative answer.
  static let no: Int32 = 2

  // MARK: - Databases

  @Sendable static func databaseName(_ invocation: Invocation) throws(ToolError) -> Int32 {
    let path = invocation.database
    if try ToolError.wrapping({ () throws(LogError) in try DatabaseFile.kind(of: path) }) == .clustered {
      return try print(ClusterFile.header(path).name)
    }
    return try print(schema(ofDatabase: path).name)
  }

  @Sendable static func databaseVersion(_ invocation: Invocation) throws(ToolError) -> Int32 {
    try print(schema(ofDatabase: invocation.database).version ?? "")
  }

  @Sendable static func databaseChecksum(_ invocation: Invocation) throws(ToolError) -> Int32 {
    try print(schema(ofDatabase: invocation.database).cksum ?? "")
  }

  @Sendable static func isClustered(_ invocation: Invocation) throws(ToolError) -> Int32 {
    try answer(invocation.database, .clustered)
  }

  @Sendable static func isStandalone(_ invocation: Invocation) throws(ToolError) -> Int32 {
    try answer(invocation.database, .standalone)
  }

  private static func answer(_ path: String, _ wanted: FileKind) throws(ToolError) -> Int32 {
    let kind = try ToolError.wrapping { () throws(LogError) in try DatabaseFile.kind(of: path) }
    return kind == wanted ? EXIT_SUCCESS : no
  }

  @Sendable static func needsConversion(_ invocation: Invocation) throws(ToolError) -> Int32 {
    let schema = try SchemaFile.read(invocation.argument(1) ?? ToolDefaults.schema)
    let present = try self.schema(ofDatabase: invocation.database)
    return print(present.text == schema.text ? "no" : "yes")
  }

  // MARK: - Schemas

  @Sendable static func schemaName(_ invocation: Invocation) throws(ToolError) -> Int32 {
    try print(SchemaFile.read(invocation.argument(0) ?? ToolDefaults.schema).name)
  }

  @Sendable static func schemaVersion(_ invocation: Invocation) throws(ToolError) -> Int32 {
    try print(SchemaFile.read(invocation.argument(0) ?? ToolDefaults.schema).version ?? "")
  }

  @Sendable static func schemaChecksum(_ invocation: Invocation) throws(ToolError) -> Int32 {
    try print(SchemaFile.read(invocation.argument(0) ?? ToolDefaults.schema).cksum ?? "")
  }

  // MARK: - Versions

  @Sendable static func compareVersions(_ invocation: Invocation) throws(ToolError) -> Int32 {
    let (left, relation, right) = (invocation.arguments[0], invocation.arguments[1], invocation.arguments[2])
    let order = try compare(numbers(left), numbers(right))
    let holds: Bool
    switch relation {
    case "<": holds = order < 0
    case "<=": holds = order <= 0
    case "==": holds = order == 0
    case ">=": holds = order >= 0
    case ">": holds = order > 0
    case "!=": holds = order != 0
    default: throw ToolError("\(relation): not a relational operator")
    }
    return holds ? EXIT_SUCCESS : no
  }

  /// The three numbers of a version, without leading zeros.
  private static func numbers(_ version: String) throws(ToolError) -> [[UInt8]] {
    guard isVersion(version) else { throw ToolError("\(version): not an OVSDB version number in format x.y.z") }
    return version.utf8.split(separator: UInt8(ascii: ".")).map { Array($0.drop { $0 == UInt8(ascii: "0") }) }
  }

  /// Negative, zero or positive. Numbers may have any length, so they are compared as digits.
  private static func compare(_ left: [[UInt8]], _ right: [[UInt8]]) -> Int {
    for (a, b) in zip(left, right) where a != b {
      if a.count != b.count { return a.count < b.count ? -1 : 1 }
      return a.lexicographicallyPrecedes(b) ? -1 : 1
    }
    return 0
  }

  // MARK: - Helpers

  private static func schema(ofDatabase path: String) throws(ToolError) -> DatabaseSchema {
    try ToolError.wrapping { () throws(LogError) in try DatabaseFile.readSchema(path) }
  }

  private static func print(_ line: String) -> Int32 {
    Program.writeOutput("\(line)\n")
    return EXIT_SUCCESS
  }
}
