// SPDX-License-Identifier: Apache-2.0
//
// What `ovsdb-client monitor` makes of updates, without its output: for fuzzers.

import JSON
import OVSDB

package enum UpdateProbe {
  /// Makes tables of an update in every format, for programs and for people.
  package static func show(_ updates: JSONValue, schema: DatabaseSchema) throws {
    for table in schema.tables {
      let monitored = try MonitoredTable(table, arguments: [], condition: nil, database: schema.name, server: "probe")
      for isConditional in [false, true] {
        guard let text = monitored.text(of: updates, isConditional: isConditional, isInitial: false, caption: table.name) else { continue }
        for style in styles { _ = text.bytes(style) }
      }
    }
    for row in updates.elements { _ = ServedDatabase(row) }
  }

  private static var styles: [TableStyle] {
    var styles: [TableStyle] = []
    for (format, cells) in [(TableStyle.Format.list, TableStyle.Cells.string), (.html, .bare), (.csv, .json), (.json, .string)] {
      var style = TableStyle()
      (style.format, style.cells, style.isPretty) = (format, cells, true)
      styles.append(style)
    }
    for fit in [nil, TerminalStyle.Fit.cut, .wrap, .off] {
      var style = TableStyle()
      style.terminal = fit.map { TerminalStyle(fit: $0, columns: 40) }
      styles.append(style)
    }
    return styles
  }
}
