// SPDX-License-Identifier: Apache-2.0
//
// The JSON target: reading JSON texts into flat documents, and writing JSON as bytes.
//
//   bytes ──▶ JSONParser ──▶ JSONTape ◀── JSONValue (a cursor)      ByteWriter ──▶ bytes
//               ▲    ▲                                                 ▲
//      JSONStream    JSONDocument ◀── JSONText (libjansson)            JSONValue.write
//
// `JSONStream` decodes what arrives on a connection, one text after the other; `JSONDocument` owns one parsed text;
// `JSONText` reads with libjansson the documents that people write. All three hand out `JSONValue`s. The target knows
// nothing of OVSDB. Unsafe memory is confined to it: the safe surface is the types named here.

/// The limits of the dialect.
package enum JSONLimits {
  /// Containers that may be open at once; one more is a syntax error.
  ///
  /// Source: Documentation/protocol/wire.md#json: ovsdb-server 3.1 accepts 1000 levels and refuses 1001.
  package static let depthMax = 1000

  /// The largest decimal exponent a number may spell, by absolute value.
  ///
  /// Source: Documentation/protocol/wire.md#numbers: ovsdb-server 3.1 accepts `0e2147483639` and refuses `0e2147483640`.
  static let exponentMax = 2_147_483_639

  /// Memory that an idle stream keeps for its next message, in bytes, for each of its buffers.
  static let retainedBytesMax = 4096
}
