// SPDX-License-Identifier: Apache-2.0
//
// The schema of the database that benchmarks run on.

/// - `Item`: plain rows that are inserted, updated, selected by scan, and monitored.
/// - `Record`: rows with an index on `name`.
/// - `Switch` and `Port`: a root row whose set of strong references grows, as a bridge's ports do.
/// - `Quiet`: what idle clients monitor; nobody writes it.
package enum BenchSchema {
  package static let databaseName = "bench"

  package static let text = text(hasNote: false)

  /// - Parameter hasNote: whether `Item` has one more column, for conversions back and forth.
  package static func text(hasNote: Bool) -> String {
    let note = hasNote ? #""note":{"type":{"key":"string","min":0,"max":1}},"# : ""
    return #"""
    {"name":"bench","version":"1.0.0","tables":{\#
    "Item":{"columns":{\#(note)"name":{"type":"string"},"number":{"type":"integer"},\#
    "options":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}},"isRoot":true},\#
    "Port":{"columns":{"name":{"type":"string"},"number":{"type":"integer"},\#
    "options":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}}},\#
    "Quiet":{"columns":{"name":{"type":"string"}},"isRoot":true},\#
    "Record":{"columns":{"name":{"type":"string"},"number":{"type":"integer"}},"indexes":[["name"]],"isRoot":true},\#
    "Switch":{"columns":{"name":{"type":"string"},"ports":{"type":{"key":{"type":"uuid","refTable":"Port",\#
    "refType":"strong"},"min":0,"max":"unlimited"}}},"isRoot":true}}}
    """#
  }

  package static let tableNames = ["Item", "Port", "Quiet", "Record", "Switch"]

  /// The columns of an `Item` or `Port` as JSON, about as much as a port of a virtual switch has. `NUMBER` is eight
  /// digits or a field of a request template.
  package static func row(number: String) -> String {
    #"{"name":"item-\#(number)","number":1\#(number),"options":["map",[["owner","bench"],"#
      + #"["attached-mac","00:16:3e:12:34:56"],["iface-id","vm-\#(number)"]]]}"#
  }

  /// The columns of a `Record`; its names are unique.
  package static func record(number: String) -> String { #"{"name":"record-\#(number)","number":1\#(number)}"# }

  /// Eight digits.
  package static func digits(_ number: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, 8 - text.count)) + text
  }
}
