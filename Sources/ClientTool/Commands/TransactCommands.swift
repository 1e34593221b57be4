// SPDX-License-Identifier: Apache-2.0
//
// `transact` and `query`: a transaction from the command line.

import Daemon
import JSON

/// Prints the results. Operations that failed are results, too, and no failure of the program.
func transact(_ target: Target) async throws {
  let transaction = try parseArgument(target.arguments[0])
  let result = try await transact(bytes(of: transaction), target)
  Output.write(outputText(result, target.options.table))
}

/// Runs a transaction that cannot change anything: an `abort` follows the user's operations, and its result is not shown.
func query(_ target: Target) async throws {
  let transaction = try parseArgument(target.arguments[0])
  var writer = ByteWriter()
  writer.append("[")
  for element in transaction.root.elements {
    element.write(to: &writer)
    writer.append(",")
  }
  writer.append("{\"op\":\"abort\"}]")
  let result = try await transact(writer.bytes, target)
  Output.write(outputText(withoutAbort(result.root), target.options.table))
}

/// Sends the transaction, goes to the background if that was asked for, and waits for the results.
private func transact(_ params: [UInt8], _ target: Target) async throws -> JSONDocument {
  let daemonizer = target.invocation.daemonizer
  return try await call(target.connected, "transact", params) { daemonizer?.complete() }
}

/// The results without that of the last operation, when that is the abort we asked for.
private func withoutAbort(_ results: JSONValue) -> String {
  guard results.kind == .array else { return results.text() }
  var elements = Array(results.elements)
  if elements.last?.member("error")?.isString("aborted") == true { elements.removeLast() }
  return "[" + elements.map { $0.text() }.joined(separator: ",") + "]"
}

private func bytes(of document: JSONDocument) -> [UInt8] {
  var writer = ByteWriter()
  document.root.write(to: &writer)
  return writer.bytes
}
