// SPDX-License-Identifier: Apache-2.0
//
// The names that a transaction gives to rows it inserts (`uuid-name`), so that other operations can refer to them.

/// Names of rows of one transaction and the UUIDs they stand for.
///
/// A name may be used before the insert that defines it, so the first mention, by use or by definition, settles the UUID; a later
/// insert takes the UUID that its name already has. A name nobody defines stands for a row that does not exist.
///
/// Source: RFC 7047 §5.1 (`<named-uuid>`).
package final class SymbolTable {
  private struct Symbol {
    var uuid: UUID
    var isDefined: Bool
  }

  private var symbols: [Text: Symbol] = [:]
  private let makeUUID: () -> UUID

  /// The length of a name, in bytes.
  package static let nameBytesMax = 4 << 10

  /// Reads a name.
  ///
  /// - Throws: `.resourcesExhausted` when it is too long.
  package static func name(_ string: String) throws(OVSDBError) -> Text {
    guard string.utf8.count <= nameBytesMax else {
      throw OVSDBError(.resourcesExhausted, "the name of a row may have \(nameBytesMax) bytes")
    }
    return Text(string)
  }

  package init(makeUUID: @escaping () -> UUID) {
    self.makeUUID = makeUUID
  }

  /// Forgets all names.
  package func removeAll() {
    if !symbols.isEmpty { symbols = [:] }
  }

  /// The UUID a name stands for.
  package func uuid(of name: Text) -> UUID {
    if let symbol = symbols[name] { return symbol.uuid }
    let uuid = makeUUID()
    symbols[name] = Symbol(uuid: uuid, isDefined: false)
    return uuid
  }

  /// Takes a name for a new row.
  ///
  /// - Parameter uuid: the UUID the request prescribes, if any. A name that was used before keeps the UUID it was given then
  ///   unless `reserve` announced this one.
  /// - Returns: the row's UUID, or nil when an earlier insert has the name.
  package func define(_ name: Text, as uuid: UUID?) -> UUID? {
    if symbols[name]?.isDefined == true { return nil }
    let uuid = uuid ?? symbols[name]?.uuid ?? makeUUID()
    symbols[name] = Symbol(uuid: uuid, isDefined: true)
    return uuid
  }

  /// Makes a name stand for the UUID that a later insert prescribes.
  package func reserve(_ name: Text, as uuid: UUID) {
    if symbols[name] == nil { symbols[name] = Symbol(uuid: uuid, isDefined: false) }
  }
}
