// SPDX-License-Identifier: Apache-2.0
//
// Lines of the log that an operator looks for: what is served, compactions, refused conversions.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our ovsdb-server is not built"))
struct StartReportTests {
  @Test func theStartSaysWhatIsServedAndWhichLimitsAreSet() throws {
    let directory = try RunDirectory()
    let file = try RemoteServer.makeDatabase("r.db", in: directory)
    let server = try RemoteServer(["--max-sessions=7", "--remote=punix:db.sock", file], directory: directory)
    try server.waitForLog("(Open vSwitch)")
    let size = try readBytes(file).count
    for line in ["|INFO|swift-ovsdb ", "|INFO|R: serving \(file): 0 rows, \(size) bytes", "|INFO|--max-sessions is 7"] {
      #expect(server.log.components(separatedBy: line).count == 2, "\(line): \(server.log)")
    }
    #expect(!server.log.contains("--max-message-size") && !server.log.contains("no remote"))
  }

  @Test func aServerWithoutRemotesSaysSo() throws {
    let server = try RemoteServer(["--no-dbs"])
    try server.waitForLog("no remote is configured: no client can connect")
  }

  @Test func compactionsAndRefusedConversionsAreLogged() throws {
    let directory = try RunDirectory()
    let file = try RemoteServer.makeDatabase("r.db", in: directory)
    let server = try RemoteServer(["--remote=punix:db.sock", file], directory: directory)
    #expect(try server.control("ovsdb-server/compact", "R").status == 0)
    #expect(server.log.contains(#/\|INFO\|R: compacted from \d+ to \d+ bytes in \d+ ms/#), "\(server.log)")
    // A directory stands where the new file is to be written.
    try FileManager.default.createDirectory(atPath: file + ".tmp/x", withIntermediateDirectories: true)
    #expect(try server.control("ovsdb-server/compact", "R").status != 0)
    #expect(server.log.contains("|ERR|R: compaction failed: "), "\(server.log)")
    let session = try server.waitForSession()
    _ = try session.exchange("convert", ["R", ["name": "R", "version": "1.0.0", "tables": [:]]])
    try server.waitForLog("|WARN|R: conversion failed: ")
  }
}
