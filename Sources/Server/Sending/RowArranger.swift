// SPDX-License-Identifier: Apache-2.0
//
// Selects whose rows are sorted, or told apart by some of their columns: all rows have to be known before the first is sent
// (OutputStream.swift). They are found and put in order on a thread of their own, for one client after the other.

import DequeModule
import Engine

/// The selects that wait to be arranged, and how many rows all of them may come to.
final class RowArranger {
  /// Rows of tables, as `Limits.arrangedRowsMax` counts them.
  fileprivate(set) var rowCount = 0
  fileprivate var waiting: Deque<(rows: DeferredRows, session: Session, stream: OutputStream)> = []
  fileprivate var isBusy = false
}

/// What one message counts until it is sent or dropped. Used on the server's loop only, as are the streams that have one.
final class ArrangementClaim {
  private let rowArranger: RowArranger
  private let rowCount: Int

  init(_ rowCount: Int, on rowArranger: RowArranger) {
    self.rowArranger = rowArranger
    self.rowCount = rowCount
    rowArranger.rowCount += rowCount
  }

  deinit { rowArranger.rowCount -= rowCount }
}

extension Server {
  /// Has a select's rows arranged; its session's stream goes on with them then.
  func arrange(_ rows: DeferredRows, for session: Session) {
    guard let stream = session.stream else { return }
    rowArranger.waiting.append((rows, session, stream))
    arrangeNext()
  }

  private func arrangeNext() {
    guard !rowArranger.isBusy else { return }
    while let (rows, session, stream) = rowArranger.waiting.popFirst() {
      // Whoever has gone meanwhile needs no rows.
      guard session.stream === stream, !session.isClosed else { continue }
      rowArranger.isBusy = true
      inBackground(on: slowWork.sorting) {
        rows.arranged()
      } then: { [self] arranged in
        rowArranger.isBusy = false
        stream.take(arranged)
        if session.stream === stream { schedulePump(session) }
        arrangeNext()
      }
      return
    }
  }
}
