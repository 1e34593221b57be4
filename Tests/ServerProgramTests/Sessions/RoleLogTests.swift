// SPDX-License-Identifier: Apache-2.0
//
// Requests that roles refuse are in the log, with the client, and not without end.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct RoleLogTests {
  private static let schema: WireJSON = [
    "name": "N",
    "tables": [
      "Note": ["isRoot": true, "columns": ["text": ["type": "string"]]],
      "RBAC_Role": [
        "isRoot": true,
        "columns": [
          "name": ["type": "string"],
          "permissions": [
            "type": ["key": "string", "value": ["type": "uuid", "refTable": "RBAC_Permission"], "min": 0, "max": "unlimited"]
          ],
        ],
      ],
      "RBAC_Permission": ["columns": ["insert_delete": ["type": "boolean"]]],
    ],
  ]

  private static let insert: WireJSON = ["N", ["op": "insert", "table": "Note", "row": ["text": "x"]]]
  private static let line = "RBAC rules for client without a name role \"r\" prohibit row insertion into table \"Note\"."

  private func serve(_ database: String, in directory: RunDirectory) throws -> RemoteServer {
    try write(
      #"{"remotes": {"punix:db.sock": {"role": "r"}}, "databases": {\#(database)}}"#, to: directory.path("c.json"))
    return try RemoteServer(["--config-file=\(directory.path("c.json"))"], directory: directory)
  }

  @Test func whatRolesRefuseIsLoggedAFewTimesAMinute() throws {
    let directory = try RunDirectory()
    try RemoteServer.makeDatabase("n.db", Self.schema, in: directory)
    let server = try serve(#""n.db": null"#, in: directory)
    let session = try server.waitForSession()
    for _ in 0..<50 { #expect(try session.call("transact", Self.insert)[0]?["error"] == "permission error") }
    let count = server.log.components(separatedBy: Self.line).count - 1
    #expect(count > 0 && count <= 10, "\(server.log)")
    #expect(server.log.contains(#/\|ovsdb_rbac\|WARN\|unix#\d+: RBAC rules for client/#))
    _ = try session.exchange("convert", ["N", Self.schema])
    try server.waitForLog("|WARN|N: conversion failed, requested by unix#")
    #expect(server.log.contains("(only the root role may convert databases)"))
  }

  @Test func aRelayLogsWhatItDoesNotForward() throws {
    let directory = try RunDirectory()
    let file = try RemoteServer.makeDatabase("n.db", Self.schema, in: directory)
    let source = try RemoteServer(["--remote=punix:source.sock", file], directory: directory)
    let relay = try serve(#""N": {"service-model": "relay", "source": {"unix:source.sock": null}}"#, in: directory)
    try relay.waitForLog("N: following ")
    let session = try relay.waitForSession()
    #expect(try session.call("transact", Self.insert)[0]?["error"] == "permission error")
    try relay.waitForLog(Self.line)
    #expect(!source.log.contains("ovsdb_rbac"))
  }
}
