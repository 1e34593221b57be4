// SPDX-License-Identifier: Apache-2.0
//
// The configuration file (`--config-file`) as a value. Reading it changes nothing; Server+Configuration.swift makes the server what it
// says.
//
// Source: Documentation/protocol/server.md#configuration-file (Open vSwitch from 3.3 on).

import JSON
import OVSDB
import Streams

/// What the configuration file asks for.
package struct ServerConfiguration: Equatable, Sendable {
  /// A remote and its options.
  struct Remote: Equatable, Sendable {
    let name: RemoteName
    let options: RemoteOptions
  }

  /// By name, as written.
  var remotes: [String: Remote] = [:]
  /// By file name, or by the name of the database for a relay.
  package var databases: [String: DatabaseConfiguration] = [:]
  /// What was ignored, and why.
  package var warnings: [String] = []

  package init() {}

  /// A configuration that is not carried out: lines for the log, the innermost reason first.
  package struct Failure: Error, Equatable {
    package var lines: [String]

    /// The innermost reason, in one line.
    package var reason: String { lines.first ?? "unknown reason" }
  }

  /// How strictly a file is read.
  package enum Strictness: Sendable {
    /// An unknown or wrong option of a remote or database that would be served is an error: a restriction may have been meant.
    case strict
    /// Such options are warnings, for a file that is shared with another version of the server.
    case lenient
  }

  /// Reads a configuration file.
  ///
  /// - Throws: all that is wrong with the file by itself. Whether databases can be opened is not looked at.
  package init(file path: String, strictness: Strictness = .strict) throws(Failure) {
    let document: JSONDocument
    do throws(JSONFileError) {
      document = try JSONText.read(file: path)
    } catch {
      throw Failure(lines: ["config: failed to read '\(path)': \(error)"])
    }
    self = try document.withRoot { (root) throws(Failure) in try ServerConfiguration(json: root, strictness: strictness) }
  }

  /// Shape: `{"remotes": {REMOTE: OPTIONS|null, ...}|null, "databases": {NAME: OPTIONS|null, ...}|null}`. Both members have to be there,
  /// so that a forgotten one does not take everything away; others are left to those who read the file too.
  package init(json: JSONValue, strictness: Strictness = .strict) throws(Failure) {
    guard json.kind == .object else { throw Failure(lines: ["config: not a JSON object"]) }
    let remotes = try Self.section("remotes", of: json)
    let databases = try Self.section("databases", of: json)
    do throws(ConfigurationError) {
      for (name, options) in remotes {
        let name = try Self.name(name, in: "remotes")
        self.remotes[name] = try remote(name, options, strictness)
      }
    } catch {
      throw Failure(lines: [error.description, "config: failed to parse 'remotes'"])
    }
    do throws(ConfigurationError) {
      for (name, options) in databases {
        let name = try Self.name(name, in: "databases")
        self.databases[name] = try DatabaseConfiguration(json: options, of: name, strictness: strictness, warnings: &warnings)
      }
    } catch {
      throw Failure(lines: [error.description, "config: failed to parse 'databases'"])
    }
  }

  private static func section(_ name: StaticString, of json: JSONValue) throws(Failure) -> JSONMembers {
    guard let section = json.member(name) else { throw Failure(lines: ["config: '\(name)' is missing"]) }
    guard section.kind == .object || section.isNull else {
      throw Failure(lines: ["config: '\(name)' is not a JSON object or null"])
    }
    return section.members
  }

  private static func name(_ value: JSONValue, in section: String) throws(ConfigurationError) -> String {
    guard let name = value.string else {
      throw ConfigurationError(description: "\(section): the name \"\(value.words)\" is not UTF-8")
    }
    return name
  }

  private mutating func remote(
    _ text: String, _ json: JSONValue, _ strictness: Strictness
  ) throws(ConfigurationError) -> Remote {
    var problems: [String] = []
    let options = try RemoteOptions(json: json, of: text, problems: &problems)
    if strictness == .strict, let problem = problems.first { throw ConfigurationError(description: problem) }
    warnings += problems
    do throws(ConfigurationError) {
      return Remote(name: try RemoteName(text, origin: .configurationFile), options: options)
    } catch {
      // The rule about `pfd:` speaks of all such names.
      let isNamed = error.description.hasPrefix(text) || error.description.hasPrefix("\"")
      throw isNamed ? error : ConfigurationError(description: "\(text): \(error)")
    }
  }
}

extension DatabaseConfiguration {
  /// Reads what the configuration file says of one database.
  ///
  /// Shape: `{"service-model":MODEL, "backup":BOOLEAN, "source":{REMOTE: OPTIONS|null}, "exclude-tables":[TABLE, ...]}` with what its
  /// model needs, or null.
  ///
  /// - Throws: what is missing or wrong, and for members that are unknown, unless reading is lenient.
  package init(
    json: JSONValue, of place: String, strictness: ServerConfiguration.Strictness, warnings: inout [String]
  ) throws(ConfigurationError) {
    self.init()
    if json.isNull { return }
    var parser = ObjectParser(json, "database \(place)")
    let model = parser.optional("service-model", .string)?.words
    var read: ServiceModel?
    switch model {
    case nil: read = .unspecified
    case "standalone": read = .standalone
    case "clustered": read = .clustered
    case "active-backup": read = try Self.activeBackup(&parser, place, &warnings)
    case "relay":
      if let source = parser.required("source", .object) {
        read = try Self.source(source, &parser, place, &warnings).map { .relay(source: $0) }
      }
    case let other?: parser.fail("'\(other)' is not a valid service model")
    }
    if strictness == .lenient, json.kind == .object { warnings += Self.unknownMembers(json, place, &parser) }
    if let error = parser.finish() { throw ConfigurationError(description: "\(error)") }
    guard let read else { throw ConfigurationError(description: "\(place): the service model cannot be read") }
    serviceModel = read
  }

  private static func activeBackup(
    _ parser: inout ObjectParser, _ place: String, _ warnings: inout [String]
  ) throws(ConfigurationError) -> ServiceModel? {
    guard let isBackup = parser.required("backup", .boolean)?.boolean else { return nil }
    // A server that has taken over may keep its source in the file, for the day when it becomes a backup again.
    let member = isBackup ? parser.required("source", .object) : parser.optional("source", .object)
    var source: Source?
    if let member { source = try Self.source(member, &parser, place, &warnings) }
    var excluded: Set<String> = []
    if let tables = parser.optional("exclude-tables", .array) {
      for table in tables.elements {
        guard let name = table.string else {
          parser.fail("'exclude-tables' should be an array of table names")
          break
        }
        excluded.insert(name)
      }
    }
    return .activeBackup(isBackup: isBackup, source: source, excludedTables: excluded)
  }

  private static func source(
    _ member: JSONValue, _ parser: inout ObjectParser, _ place: String, _ warnings: inout [String]
  ) throws(ConfigurationError) -> Source? {
    var members = member.members
    guard member.count == 1, let (name, options) = members.next(), let remote = name.string else {
      parser.fail("'source' should be an object with exactly one element")
      return nil
    }
    let method: ConnectionMethod
    do throws(ConnectionMethod.Refusal) {
      method = try ConnectionMethod.parse(source: remote, origin: .configurationFile)
    } catch {
      throw ConfigurationError(description: "\(place): source \(error)")
    }
    // Nothing is opened by the options of a connection that this server makes: a wrong one is a warning.
    return Source(method: method, options: try RemoteOptions(json: options, of: "\(place): source \(remote)", problems: &warnings))
  }

  private static let members: [StaticString] = ["service-model", "backup", "source", "exclude-tables"]

  /// Warnings for members that no version known here has; the parser accepts them from now on.
  private static func unknownMembers(_ json: JSONValue, _ place: String, _ parser: inout ObjectParser) -> [String] {
    let unknown = json.members.filter { name, _ in !members.contains { name.isString($0) } }
    parser.ignore(unknown.count)
    return unknown.map { name, _ in "\(place): unknown member '\(name.words)' is ignored" }
  }
}
