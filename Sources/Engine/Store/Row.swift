// SPDX-License-Identifier: Apache-2.0
//
// A row: its name, its version and its columns, in one allocation. Tables, commits, monitors and snapshots share rows by reference.

import OVSDB

/// What a row has besides its columns.
package struct RowHeader {
  package let table: TableSchema
  package let uuid: UUID
  package var version: UUID
  /// Known once the row is published.
  fileprivate(set) var size = RowSize.unknown

  init(table: TableSchema, uuid: UUID, version: UUID) {
    self.table = table
    self.uuid = uuid
    self.version = version
  }
}

/// What a row holds, in eight bytes.
struct RowSize: Equatable, Sendable {
  static let unknown = RowSize(atoms: 0, bytes: 0)

  /// Atoms in all columns.
  let atoms: UInt32
  /// Memory in units of 16 bytes, in which it is allocated; 0 when it is unknown.
  private let units: UInt32

  init(atoms: Int, bytes: Int) {
    self.atoms = UInt32(clamping: atoms)
    units = UInt32(clamping: bytes / 16)
  }

  var bytes: Int { Int(units) * 16 }
  var isKnown: Bool { units != 0 }
}

/// The allocation of a row: the header, and behind it a datum for each column.
private final class RowStorage: ManagedBuffer<RowHeader, Datum> {
  static func allocate(_ header: RowHeader) -> RowStorage {
    // `create` is inherited and returns the superclass; the object it makes is of the class it is called on.
    unsafeDowncast(RowStorage.create(minimumCapacity: header.table.columns.count) { _ in header }, to: RowStorage.self)
  }

  deinit {
    _ = withUnsafeMutablePointers { header, elements in
      elements.deinitialize(count: header.pointee.table.columns.count)
    }
  }
}

/// One row of a table, held by reference.
///
/// A row is written only by the transaction that makes it, before anybody else can see it. Once published it never changes; a
/// change makes a new row, and whoever holds the old one keeps it (architecture, invariant 1). That is why it is sound to call it
/// `Sendable`.
package struct Row: @unchecked Sendable {
  private let storage: RowStorage

  private init(storage: RowStorage) { self.storage = storage }

  /// Whether two references are to one row in one state.
  package static func === (a: Row, b: Row) -> Bool { a.storage === b.storage }

  /// A row with given columns, one for each of the table's.
  package static func make(table: TableSchema, uuid: UUID, version: UUID = .zero, fields: [Datum]) -> Row {
    precondition(fields.count == table.columns.count, "a row has a value for each column")
    let storage = RowStorage.allocate(RowHeader(table: table, uuid: uuid, version: version))
    storage.withUnsafeMutablePointerToElements { elements in
      for position in fields.indices { (elements + position).initialize(to: fields[position]) }
    }
    return Row(storage: storage)
  }

  /// A private copy for a transaction to change.
  package func copied() -> Row {
    let header = storage.header
    let copy = RowStorage.allocate(RowHeader(table: header.table, uuid: header.uuid, version: header.version))
    let count = storage.header.table.columns.count
    storage.withUnsafeMutablePointerToElements { source in
      copy.withUnsafeMutablePointerToElements { $0.initialize(from: source, count: count) }
    }
    return Row(storage: copy)
  }

  /// Where in memory it lies.
  var address: UInt { UInt(bitPattern: Unmanaged.passUnretained(storage).toOpaque()) }

  package var table: TableSchema { storage.header.table }
  package var uuid: UUID { storage.header.uuid }
  package var version: UUID { storage.header.version }

  /// The value of a column, `_uuid` and `_version` included.
  package subscript(column: ColumnSchema) -> Datum {
    let index = column.index
    if index >= 0 {
      precondition(index < storage.header.table.columns.count, "a column of another table")
      return storage.withUnsafeMutablePointerToElements { $0[index] }
    }
    return .uuid(index == ColumnSchema.uuidIndex ? storage.header.uuid : storage.header.version)
  }

  /// Whether the field at `index` is equal to a value, compared where it is.
  @inline(__always)
  func holds(_ value: Datum, at index: Int) -> Bool {
    storage.withUnsafeMutablePointerToElements { elements in
      switch value {
      case .integer(let wanted): if case .integer(let found) = elements[index] { found == wanted } else { false }
      case .uuid(let wanted): if case .uuid(let found) = elements[index] { found == wanted } else { false }
      case .boolean(let wanted): if case .boolean(let found) = elements[index] { found == wanted } else { false }
      case .empty: elements[index].isEmpty
      case .string, .real, .set, .map: elements[index] == value
      }
    }
  }

  /// Whether a stored column has the value of a new row, compared where it is.
  package func holdsDefault(of column: ColumnSchema) -> Bool { holds(column.defaultDatum, at: column.index) }

  /// Sets a column of a row that is not published.
  package func set(_ column: ColumnSchema, to datum: Datum) {
    precondition(column.index >= 0 && column.index < storage.header.table.columns.count, "a column of another table")
    assert(!storage.header.size.isKnown, "a published row is changed")
    storage.withUnsafeMutablePointerToElements { $0[column.index] = datum }
  }

  /// Gives a row that is not published its version.
  package func setVersion(_ version: UUID) { storage.header.version = version }

  // MARK: - Size

  /// Notes what the row holds. From now on it may be published, and is not changed any more.
  func seal() {
    if !storage.header.size.isKnown { storage.header.size = measured() }
  }

  private var size: RowSize { storage.header.size.isKnown ? storage.header.size : measured() }

  private func measured() -> RowSize {
    storage.withUnsafeMutablePointerToElements { elements in
      var atoms = 0
      var bytes = Self.ownBytes(of: storage.header.table)
      for position in 0..<storage.header.table.columns.count {
        atoms += elements[position].atomCount
        bytes += elements[position].heapBytes
      }
      return RowSize(atoms: atoms, bytes: bytes)
    }
  }

  /// Number of atoms in all columns.
  package var atomCount: Int { Int(size.atoms) }

  /// Bytes of the row and of what its columns refer to.
  package var byteCount: Int { size.bytes }

  /// Bytes of the row alone, and of what it has in some columns: what it does not share with another state of the row that differs in
  /// these.
  func byteCount(differingIn columns: ColumnSet) -> Int {
    var bytes = Self.ownBytes(of: table)
    storage.withUnsafeMutablePointerToElements { elements in columns.forEach { bytes += elements[$0].heapBytes } }
    return bytes
  }

  private static func ownBytes(of table: TableSchema) -> Int {
    Allocation.bytes(
      Allocation.objectHeader + MemoryLayout<RowHeader>.stride + table.columns.count * MemoryLayout<Datum>.stride)
  }
}

extension Optional where Wrapped == Row {
  /// Whether both are the same row in one state, or both are none.
  package static func === (a: Row?, b: Row?) -> Bool {
    switch (a, b) {
    case (nil, nil): true
    case (let a?, let b?): a === b
    default: false
    }
  }

  package static func !== (a: Row?, b: Row?) -> Bool { !(a === b) }
}
