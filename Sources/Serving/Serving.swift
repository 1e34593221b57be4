// SPDX-License-Identifier: Apache-2.0
//
// Serving: what a server decides between its clients and its log, as values. Nothing here opens a file or a socket, reads a clock or
// draws a random number: inputs come as calls, and what is to be done about them is returned.
//
//     SlotMap.swift    sessions, databases and blocked transactions, known by handles
//     Segment.swift    what requests did between two writes of the log
//     Segments.swift   what becomes of segments: the machine

/// The kinds of things that handles stand for.
package enum SessionTag {}
package enum DatabaseTag {}
package enum TriggerTag {}

package typealias SessionHandle = Handle<SessionTag>
package typealias DatabaseHandle = Handle<DatabaseTag>
package typealias TriggerHandle = Handle<TriggerTag>
