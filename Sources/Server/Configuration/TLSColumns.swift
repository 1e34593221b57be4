// SPDX-License-Identifier: Apache-2.0
//
// The TLS options of the server's command line: each a value, or a column of a database that holds it, `db:DB,TABLE,COLUMN`, and is
// followed as it changes. The result configures `TLSContext`.
//
// Source: ovsdb-server(1), "Public Key Infrastructure Options".

import Daemon
import Logging
import NIOCore
import OVSDB
import Streams

/// TLS options that may stand in databases.
final class TLSColumns {
  private unowned let server: Server
  private let options: TLSOptions.Values
  private let context: TLSContext
  private var isScheduled = false
  /// What was last said about columns that went away, so that it is said once.
  private var lastComplaints: Set<String> = []
  private let log = Logger(label: "ovsdb_server")

  /// Applies the options.
  ///
  /// - Parameter afterCrash: what the options name was there when the process before this one started, and a command may have removed it:
  ///   that is told in the log, as it was then, and the options are followed for the case that it comes back.
  /// - Throws: when one names what is not there.
  init(
    _ options: TLSOptions.Values, of server: Server, afterCrash: Bool = false, context: TLSContext = .shared
  ) throws(ConfigurationError) {
    self.server = server
    self.options = options
    self.context = context
    if !afterCrash {
      for value in Self.values(options) where value.hasPrefix("db:") { _ = try column(value) }
    }
    context.logCertificates()
    apply(mayWait: true)
  }

  private static func values(_ options: TLSOptions.Values) -> [String] {
    [
      options.privateKey, options.certificate, options.authority, options.peerAuthority, options.protocols, options.ciphers,
      options.ciphersuites, options.serverName,
    ].compactMap { $0 }
  }

  /// Whether some option stands in a database.
  static func isFollowing(_ options: TLSOptions.Values) -> Bool { values(options).contains { $0.hasPrefix("db:") } }

  /// A database has changed, come or gone.
  func databaseChanged(_ database: ServedDatabase) {
    guard !isScheduled, !database.name.hasPrefix("_") else { return }
    isScheduled = true
    server.soon { [self] in
      isScheduled = false
      apply()
    }
  }

  /// - Parameter mayWait: nobody is served yet.
  private func apply(mayWait: Bool = false) {
    var complaints: Set<String> = []
    func resolve(_ value: String?) -> String? {
      guard let value, value.hasPrefix("db:") else { return value }
      do throws(ConfigurationError) {
        return try column(value).firstText
      } catch {
        complaints.insert(error.description)
        return nil
      }
    }
    let settings = TLSSettings(
      privateKey: resolve(options.privateKey), certificate: resolve(options.certificate),
      authority: resolve(options.authority), bootstraps: options.bootstrapsAuthority,
      peerAuthority: resolve(options.peerAuthority), protocols: resolve(options.protocols),
      ciphers: resolve(options.ciphers), ciphersuites: resolve(options.ciphersuites),
      serverName: resolve(options.serverName), expiryGrace: options.expiryGrace)
    for complaint in complaints.subtracting(lastComplaints).sorted() {
      log.error("failed to configure SSL/TLS: \(complaint)")
    }
    lastComplaints = complaints
    context.configure(settings, mayWait: mayWait)
  }

  private func column(_ name: String) throws(ConfigurationError) -> DatabaseColumn {
    let column = try DatabaseColumn(DatabaseColumn.Path(name), in: server)
    guard column.column.type.key.type == .string, !column.column.type.isMap else {
      throw ConfigurationError(
        description:
          "\"\(name)\": table \"\(column.table.name)\" column \"\(column.column.name)\" is not string or set of strings")
    }
    return column
  }
}

extension Server {
  private static let certificateCheckInterval = TimeAmount.hours(24)

  /// Warns once a day of certificates that are about to run out.
  func watchCertificates() {
    after(Self.certificateCheckInterval) { [self] in
      TLSContext.shared.warnOfExpiry()
      watchCertificates()
    }
  }
}

extension DatabaseColumn {
  /// The first of the column's strings that is not empty. With several rows it is the one of the smallest UUID, so that the answer
  /// does not change by itself.
  fileprivate var firstText: String? {
    let rows = database.database.tables[table.index].rows.values
    return rows.lazy.compactMap { row -> (UUID, String)? in
      guard case .strings(let texts) = row[column].keys(of: .string),
        let text = texts.first(where: { !$0.string.isEmpty })
      else { return nil }
      return (row.uuid, text.string)
    }.min { $0.0 < $1.0 }?.1
  }
}
