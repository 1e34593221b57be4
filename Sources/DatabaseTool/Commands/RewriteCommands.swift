// SPDX-License-Identifier: Apache-2.0
//
// Commands that write whole files: create, compact, convert.

import Daemon
import Engine
import Glibc
import Journal
import OVSDB

enum RewriteCommands {
  @Sendable static func create(_ invocation: Invocation) throws(ToolError) -> Int32 {
    let schema = try SchemaFile.read(invocation.argument(1) ?? ToolDefaults.schema)
    _ = try ToolError.wrapping { () throws(LogError) in try DatabaseFile.create(invocation.database, schema: schema) }
    return EXIT_SUCCESS
  }

  @Sendable static func compact(_ invocation: Invocation) throws(ToolError) -> Int32 {
    try rewrite(
      "compact", invocation.database, to: invocation.argument(1), comment: "compacted by ovsdb-tool \(Program.compatibleVersion)"
    ) { (database) throws(OVSDBError) in database }
    return EXIT_SUCCESS
  }

  @Sendable static func convert(_ invocation: Invocation) throws(ToolError) -> Int32 {
    let schema = try SchemaFile.read(invocation.argument(1) ?? ToolDefaults.schema)
    try rewrite(
      "convert", invocation.database, to: invocation.argument(2), comment: "converted by ovsdb-tool \(Program.compatibleVersion)"
    ) { (database) throws(OVSDBError) in
      try Conversion.convert(database.snapshot, to: schema, rules: .offline)
    }
    return EXIT_SUCCESS
  }

  /// Writes what `change` makes of a database into another file, or into its own under the lock.
  private static func rewrite(
    _ activity: String, _ path: String, to destination: String?, comment: String,
    _ change: (Database) throws(OVSDBError) -> Database
  ) throws(ToolError) {
    let meter = ToolProgress.meter("\(activity): reading", path: path)
    defer { meter.finish() }
    let advance = { (place: Int) in meter.advance(to: Int64(place)) }
    do throws(LogError) {
      if let destination {
        let database = try DatabaseFile.read(path, progress: advance)
        meter.begin("\(activity): writing")
        let result = try changed(database, change)
        try DatabaseFile.write(
          result.snapshot, to: destination, comment: comment, dateMilliseconds: Clock.wallMilliseconds())
        return
      }
      let opened = try DatabaseFile.open(path, progress: advance)
      meter.begin("\(activity): writing")
      // What a torn end lost would be lost for good by rewriting; the user decides.
      if let error = opened.recovery.endError { throw error }
      let result = try changed(opened.database, change)
      let replacement = try opened.log.beginReplacement()
      try replacement.append(
        result.snapshot, comment: comment, dateMilliseconds: Clock.wallMilliseconds(), isDifference: false)
      try replacement.catchUp()
      try opened.log.finish(replacement)
    } catch {
      throw ToolError(rewriting: error)
    }
  }

  private static func changed(
    _ database: Database, _ change: (Database) throws(OVSDBError) -> Database
  ) throws(LogError) -> Database {
    do throws(OVSDBError) {
      return try change(database)
    } catch {
      throw LogError(error)
    }
  }
}
