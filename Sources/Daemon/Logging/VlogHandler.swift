// SPDX-License-Identifier: Apache-2.0
//
// swift-log's messages land in the same modules and destinations: a logger's label is the module's name. For libraries
// that know only swift-log; our own programs call `LogModule`, which builds no text below the level.

import Logging
import Synchronization

package struct VlogHandler: LogHandler {
  private let module: LogModule

  package var metadata: Logger.Metadata = [:]
  package var metadataProvider: Logger.MetadataProvider?

  package init(label: String) { module = LogModule(label) }

  /// Makes this the backend of all loggers of the process. `Program.begin` does; a second call changes nothing.
  package static func bootstrap() { bootstrapOnce }

  /// swift-log allows it once.
  private static let bootstrapOnce: Void = LoggingSystem.bootstrap { label in VlogHandler(label: label) }

  /// Follows the module's levels, which change while the program runs; a level set on the logger itself is not kept,
  /// because the operator's `vlog/set` decides.
  package var logLevel: Logger.Level {
    get {
      if module.isEnabled(.dbg) { return .trace }
      if module.isEnabled(.info) { return .info }
      if module.isEnabled(.warn) { return .warning }
      return module.isEnabled(.err) ? .error : .critical
    }
    set { _ = newValue }
  }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// The metadata key of messages that a peer can cause at will. Its value names a kind of message within the module; of
  /// each kind only so many are logged.
  package static let rateLimitKey = "rate-limit"

  private static let limits = Mutex<[String: LogRateLimit]>([:])

  package func log(event: LogEvent) {
    let level = event.level.vlogLevel
    guard case .string(let kind)? = event.metadata?[Self.rateLimitKey] else {
      module.log(level, describe(event.message, event.metadata))
      return
    }
    let limit = Self.limits.withLock { limits in
      let name = "\(module.name) \(kind)"
      let limit = limits[name] ?? LogRateLimit(perMinute: 5, burst: 5)
      limits[name] = limit
      return limit
    }
    var metadata = event.metadata
    metadata?[Self.rateLimitKey] = nil
    module.log(level, limit, describe(event.message, metadata))
  }

  /// The message, then ` (key=value, ...)` sorted by key if there is any metadata.
  private func describe(_ message: Logger.Message, _ explicit: Logger.Metadata?) -> String {
    var all = metadataProvider?.get() ?? [:]
    all.merge(metadata) { $1 }
    all.merge(explicit ?? [:]) { $1 }
    guard !all.isEmpty else { return message.description }
    let pairs = all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    return "\(message) (\(pairs.joined(separator: ", ")))"
  }
}

extension Logger.Level {
  fileprivate var vlogLevel: LogLevel {
    switch self {
    case .trace, .debug: .dbg
    case .info, .notice: .info
    case .warning: .warn
    case .error: .err
    case .critical: .emer
    }
  }
}
