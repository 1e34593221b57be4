// SPDX-License-Identifier: Apache-2.0
//
// Differences between two values of a column, in the form that update2 notifications and log records carry.

extension Datum {
  /// What changes `old` into `new`.
  ///
  /// - Returns: for a type with at most one element the new value; for sets the elements on one side only; for maps the pairs
  ///   that were removed (old value), added, or got another value (new value).
  ///
  /// Source: Documentation/protocol/monitors.md#differences.
  package static func difference(from old: Datum, to new: Datum, type: ColumnType) -> Datum {
    guard type.max > 1 else { return new }
    if type.isMap { return mapDifference(old, new, type) }
    return Datum(sorted: old.keys(of: type.key.type).symmetricDifference(new.keys(of: type.key.type)))
  }

  private static func mapDifference(_ old: Datum, _ new: Datum, _ type: ColumnType) -> Datum {
    guard case .map(let before) = old else { return new }
    guard case .map(let after) = new else { return old }
    var result = before.filter { key, _ in after.keys.position(of: key) == nil }
    for position in 0..<after.count where before.value(of: after.keys[position]) != after.values[position] {
      result.keys.append(after.keys[position])
      result.values.append(after.values[position])
    }
    return Datum(sorted: result.sortedByKey())
  }

  /// The value that a difference makes of this one.
  ///
  /// For each pair of a map's difference: an absent key is added, an equal pair removed, any other pair gets the new value.
  ///
  /// - Throws: `.syntaxError` when the result has more or fewer elements than the type allows.
  package func applying(difference: Datum, type: ColumnType) throws(OVSDBError) -> Datum {
    guard type.max > 1 else { return difference }
    let result: Datum
    if type.isMap {
      result = applyingMap(difference)
    } else {
      result = Datum(sorted: keys(of: type.key.type).symmetricDifference(difference.keys(of: type.key.type)))
    }
    guard result.count >= type.min, result.count <= type.max else {
      throw OVSDBError(
        .constraintViolation, "difference leaves \(result.count) elements in \(type.english)")
    }
    return result
  }

  private func applyingMap(_ difference: Datum) -> Datum {
    guard case .map(let changes) = difference else { return self }
    guard case .map(let pairs) = self else { return difference }
    var result = pairs.filter { key, _ in changes.keys.position(of: key) == nil }
    for position in 0..<changes.count {
      let (key, value) = (changes.keys[position], changes.values[position])
      guard pairs.value(of: key) != value else { continue }
      result.keys.append(key)
      result.values.append(value)
    }
    return Datum(sorted: result.sortedByKey())
  }
}
