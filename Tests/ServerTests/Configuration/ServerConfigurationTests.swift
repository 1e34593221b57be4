// SPDX-License-Identifier: Apache-2.0
//
// The configuration file as a value: every member, and every mistake with its message.

import JSON
import Streams
import Testing

@testable import Server

@Suite struct ServerConfigurationTests {
  private func read(_ text: String, _ strictness: ServerConfiguration.Strictness = .strict) throws -> ServerConfiguration {
    try JSONText.parse(text).withRoot { try ServerConfiguration(json: $0, strictness: strictness) }
  }

  private func source(_ name: String, _ options: RemoteOptions = RemoteOptions()) throws -> DatabaseConfiguration.Source {
    .init(method: try ConnectionMethod.parse(source: name, origin: .configurationFile), options: options)
  }

  private func database(_ options: String) throws -> DatabaseConfiguration.ServiceModel? {
    try read(#"{"remotes": null, "databases": {"D": \#(options)}}"#).databases["D"]?.serviceModel
  }

  @Test func remotesHaveOptions() throws {
    let configuration = try read(
      """
      {"remotes": {"punix:a": null, "ptcp:0": {"inactivity-probe": 0, "max-backoff": 2500, "dscp": 63, "read-only": true, "role": "r"}},
       "databases": null}
      """)
    var options = RemoteOptions()
    #expect(configuration.remotes["punix:a"]?.options == options)
    options.probeMilliseconds = 0
    options.maxBackoffMilliseconds = 2500
    options.dscp = 63
    options.isReadOnly = true
    options.role = "r"
    #expect(configuration.remotes["ptcp:0"]?.options == options)
    #expect(configuration.databases.isEmpty && configuration.warnings.isEmpty)
  }

  @Test(arguments: [
    #"{"foo": 1}"#, #"{"dscp": 64}"#, #"{"dscp": -1}"#, #"{"dscp": "8"}"#, #"{"inactivity-probe": -5}"#, #"{"inactivity-probe": 1.5}"#,
    #"{"max-backoff": -1}"#, #"{"max-backoff": null}"#,
  ])
  func wrongOptionsAreErrorsUnlessReadingIsLenient(options: String) throws {
    let text = #"{"remotes": {"punix:a": \#(options)}, "databases": {}}"#
    let failure = #expect(throws: ServerConfiguration.Failure.self) { try read(text) }
    #expect(failure?.reason.hasPrefix("punix:a: ") == true)
    let configuration = try read(text, .lenient)
    #expect(configuration.remotes["punix:a"]?.options == RemoteOptions())
    #expect(configuration.warnings == [failure?.reason])
  }

  @Test(arguments: [ServerConfiguration.Strictness.strict, .lenient], [#"{"read-only": "yes"}"#, #"{"role": 3}"#, #"{"read-only": null}"#])
  func whatRestrictsIsNeverServedWithout(strictness: ServerConfiguration.Strictness, options: String) {
    #expect(throws: ServerConfiguration.Failure.self) {
      try read(#"{"remotes": {"punix:a": \#(options)}, "databases": {}}"#, strictness)
    }
  }

  @Test func aMistypedRestrictionIsNamedWithTheOptionsThatExist() throws {
    let failure = #expect(throws: ServerConfiguration.Failure.self) {
      try read(#"{"remotes": {"punix:a": {"read-olny": true}}, "databases": {}}"#)
    }
    #expect(
      failure?.reason == "punix:a: unknown option 'read-olny'; the options are inactivity-probe, max-backoff, dscp, read-only, role")
  }

  @Test func wrongOptionsOfASourceAreWarningsSinceNothingIsOpenedByThem() throws {
    let configuration = try read(
      #"{"remotes": {}, "databases": {"D": {"service-model": "relay", "source": {"tcp:a": {"foo": 1, "inactivity-probe": "10s"}}}}}"#)
    #expect(
      configuration.warnings == [
        "D: source tcp:a: unknown option 'foo'; the options are inactivity-probe, max-backoff, dscp, read-only, role",
        "D: source tcp:a: 'inactivity-probe' must be a whole number of milliseconds, at least 0, not \"10s\"",
      ])
  }

  @Test func unknownMembersOfADatabaseAreIgnoredByLenientReadingAlone() throws {
    let text = #"{"remotes": {}, "databases": {"D": {"service-model": "standalone", "x": 1, "y": {}}}}"#
    #expect(throws: ServerConfiguration.Failure.self) { try read(text) }
    let configuration = try read(text, .lenient)
    #expect(configuration.databases["D"]?.serviceModel == .standalone)
    #expect(configuration.warnings == ["D: unknown member 'x' is ignored", "D: unknown member 'y' is ignored"])
  }

  @Test func serviceModelsCarryWhatTheyNeed() throws {
    #expect(try database("null") == .unspecified)
    #expect(try database("{}") == .unspecified)
    #expect(try database(#"{"service-model": "standalone"}"#) == .standalone)
    #expect(try database(#"{"service-model": "clustered"}"#) == .clustered)
    var options = RemoteOptions()
    options.probeMilliseconds = 7000
    #expect(
      try database(#"{"service-model": "relay", "source": {"tcp:127.0.0.1:6640": {"inactivity-probe": 7000}}}"#)
        == .relay(source: source("tcp:127.0.0.1:6640", options)))
    #expect(
      try database(
        #"{"service-model": "active-backup", "backup": true, "source": {"unix:a": null}, "exclude-tables": ["A", "B", "A"]}"#)
        == .activeBackup(isBackup: true, source: source("unix:a"), excludedTables: ["A", "B"]))
    #expect(
      try database(#"{"service-model": "active-backup", "backup": false}"#)
        == .activeBackup(isBackup: false, source: nil, excludedTables: []))
  }

  @Test(arguments: [
    ("3", "syntax error: Parsing database D failed: Object expected."),
    (#"{"x": 1}"#, "Member 'x' is present but not allowed here."),
    (#"{"service-model": "foo"}"#, "'foo' is not a valid service model"),
    (#"{"service-model": 3}"#, "Type mismatch for member 'service-model'."),
    (#"{"service-model": "standalone", "source": {"tcp:a": null}}"#, "Member 'source' is present but not allowed here."),
    (#"{"service-model": "relay"}"#, "Required 'source' member is missing."),
    (#"{"service-model": "relay", "source": {}}"#, "'source' should be an object with exactly one element"),
    (#"{"service-model": "relay", "source": {"tcp:a": null, "tcp:b": null}}"#, "'source' should be an object with exactly one element"),
    (#"{"service-model": "relay", "source": {"ptcp:1": null}}"#, "source ptcp:1: a source must be a server to connect to"),
    (#"{"service-model": "relay", "source": {"pfd:3": null}}"#, "pfd: remotes can only be specified on the command line"),
    (#"{"service-model": "relay", "source": {"tcp:a": 3}}"#, "source tcp:a: JSON-RPC options are not a JSON object or null"),
    (#"{"service-model": "active-backup"}"#, "Required 'backup' member is missing."),
    (#"{"service-model": "active-backup", "backup": true}"#, "Required 'source' member is missing."),
    (#"{"service-model": "active-backup", "backup": true, "source": {"tcp:a": null}, "exclude-tables": [3]}"#,
      "'exclude-tables' should be an array of table names"),
    (#"{"service-model": "relay", "source": {"tcp:a": null}, "exclude-tables": []}"#, "Member 'exclude-tables' is present"),
  ])
  func mistakesNameTheirMember(options: String, message: String) throws {
    do {
      _ = try database(options)
      Issue.record("\(options) was taken")
    } catch let failure as ServerConfiguration.Failure {
      #expect(failure.lines.first?.contains(message) == true, "\(failure.lines)")
      #expect(failure.lines.last == "config: failed to parse 'databases'")
    }
  }
}
