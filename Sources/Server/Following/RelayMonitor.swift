// SPDX-License-Identifier: Apache-2.0
//
// How a relay learns what its source has.

/// How changes are told, from the best to what every server knows.
enum RelayMonitor: CaseIterable {
  case since, conditional, plain

  var method: StaticString {
    switch self {
    case .since: "monitor_cond_since"
    case .conditional: "monitor_cond"
    case .plain: "monitor"
    }
  }

  var format: SourceFormat { self == .plain ? .whole : .differences }

  var next: RelayMonitor? {
    switch self {
    case .since: .conditional
    case .conditional: .plain
    case .plain: nil
    }
  }
}

/// Why a relay has everything copied instead of what it missed, for the log.
enum RelayCopyReason: CustomStringConvertible {
  case nothingHere
  case otherSchema
  case conversion
  case misfit
  case noTransactionID
  case noHistory(RelayMonitor)
  case unknownTransaction(String)

  var description: String {
    switch self {
    case .nothingHere: "nothing was here"
    case .otherSchema: "its schema is another than before"
    case .conversion: "it ended the monitor, as after a conversion"
    case .misfit: "what it sent before did not fit"
    case .noTransactionID: "it gave no id of its last transaction"
    case .noHistory(let monitor): "it does not have monitor_cond_since, only \(monitor.method)"
    case .unknownTransaction(let id): "it does not know the last transaction here, \(id)"
    }
  }
}
