// SPDX-License-Identifier: Apache-2.0
//
// Runs a `transact` request: one operation after the other, each writing its result, then the commit.

import JSON
import OVSDB

/// Why an operation did not succeed.
enum OperationFailure: Error {
  case error(OVSDBError)
  /// A `wait` is not met yet.
  case blocked(timeoutMilliseconds: Int64?)
  /// It would take too much work.
  case exceeded
}

/// The operations of RFC 7047 §5.2 and `assert`.
enum OperationName: CaseIterable {
  case insert, select, update, mutate, delete, wait, commit, abort, comment, assert

  init?(_ json: JSONValue) {
    for name in Self.allCases where json.isString(name.text) {
      self = name
      return
    }
    return nil
  }

  private var text: StaticString {
    switch self {
    case .insert: "insert"
    case .select: "select"
    case .update: "update"
    case .mutate: "mutate"
    case .delete: "delete"
    case .wait: "wait"
    case .commit: "commit"
    case .abort: "abort"
    case .comment: "comment"
    case .assert: "assert"
    }
  }

  var isReadOnly: Bool {
    switch self {
    case .select, .wait, .abort, .comment, .assert: true
    case .insert, .update, .mutate, .delete, .commit: false
    }
  }

  var name: String { "\(text)" }

  var members: [Expectation] {
    switch self {
    case .insert: Self.insertMembers
    case .select: Self.selectMembers
    case .update: Self.updateMembers
    case .mutate: Self.mutateMembers
    case .delete: Self.deleteMembers
    case .wait: Self.waitMembers
    case .commit: Self.commitMembers
    case .abort: []
    case .comment: Self.commentMembers
    case .assert: Self.assertMembers
    }
  }

  private static let insertMembers: [Expectation] = [.table, .uuidName, .uuid, .row]
  private static let selectMembers: [Expectation] = [.table, .condition, .columns, .sort]
  private static let updateMembers: [Expectation] = [.table, .condition, .row]
  private static let mutateMembers: [Expectation] = [.table, .condition, .mutations]
  private static let deleteMembers: [Expectation] = [.condition, .table]
  private static let waitMembers: [Expectation] = [.timeout, .condition, .table, .columns, .until, .rows]
  private static let commitMembers: [Expectation] = [.durable]
  private static let commentMembers: [Expectation] = [.comment]
  private static let assertMembers: [Expectation] = [.lock]
}

extension Transaction {
  /// Source: RFC 7047 §4.1.3.
  mutating func run(
    params: JSONValue, context: borrowing TransactionContext, into writer: inout ByteWriter
  ) -> Outcome {
    let start = writer.count
    self.params = params
    deferral = context.deferral
    workMax = context.workMax
    let count = params.count - 1
    role = context.role
    resolveForwardNames(params)
    writer.append("[")
    var position = 0
    for operation in params.elements.dropFirst() {
      position += 1
      if position > 1 { writer.append(",") }
      let mark = writer.count
      do throws(OperationFailure) {
        try execute(operation, position, count, context, &writer)
        if writer.count - start > TransactionLimits.resultBytesMax { throw OperationFailure.error(.resultTooLarge) }
      } catch {
        switch error {
        case .error(let error):
          writer.truncate(to: mark)
          error.write(to: &writer)
          for _ in position..<max(position, count) { writer.append(",null") }
          writer.append("]")
          return .failed(denial: error.tag == .permissionError ? error.details : nil)
        case .blocked(let timeout):
          writer.truncate(to: start)
          return .blocked(timeoutMilliseconds: timeout, reads: readSet(of: params, upTo: position, count: count))
        case .exceeded:
          writer.truncate(to: start)
          return .exceeded
        }
      }
    }
    return finish(count, start, &writer)
  }

  private mutating func finish(_ count: Int, _ start: Int, _ writer: inout ByteWriter) -> Outcome {
    if isRehearsal {
      writer.append("]")
      return .committed(nil, isDurable: false)
    }
    do {
      let commit = try makeCommit()
      if isExceeded {
        writer.truncate(to: start)
        return .exceeded
      }
      writer.append("]")
      if let commit { apply(commit) }
      return .committed(commit, isDurable: isDurable)
    } catch {
      if count > 0 { writer.append(",") }
      error.write(to: &writer)
      writer.append("]")
      return .failed(denial: nil)
    }
  }

  /// Lets names that are used before the insert that defines them stand for the UUID which that insert prescribes.
  ///
  /// The peer gives such a name another, random UUID, so that the reference fails; nobody can depend on that.
  private func resolveForwardNames(_ params: JSONValue) {
    for operation in params.elements.dropFirst() {
      guard operation.kind == .object, let uuidJSON = operation.member("uuid"),
        let name = operation.member("uuid-name")?.string, let uuid = uuidJSON.utf8.flatMap({ UUID(utf8: $0) })
      else { continue }
      symbols.reserve(Text(name), as: uuid)
    }
  }

  private mutating func execute(
    _ json: JSONValue, _ position: Int, _ count: Int, _ context: borrowing TransactionContext,
    _ writer: inout ByteWriter
  ) throws(OperationFailure) {
    do {
      guard json.kind == .object else {
        throw OVSDBError(.syntaxError, "Parsing ovsdb operation \(position) of \(count) failed: Object expected.")
      }
      let members = OperationMembers(json, position: position, count: count)
      guard let opJSON = members.op, opJSON.kind == .string, let name = OperationName(opJSON) else {
        throw unknownOperation(members)
      }
      let table = try members.check(name.members, schema: database.schema)
      if !context.mayChange, !name.isReadOnly { throw OperationFailure.exceeded }
      try charge(WorkUnits.operation + WorkUnits.value * json.valueCount)
      try perform(name, members, table, context, &writer)
      if context.isReadOnly, !name.isReadOnly {
        let reason = context.readOnlyReason.map { ": \($0)" } ?? " when database server is in read only mode"
        throw OVSDBError(.notAllowed, "\(name.name) operation not allowed\(reason)")
      }
    } catch let error as OVSDBError {
      throw .error(error)
    } catch let failure as OperationFailure {
      throw failure
    } catch {
      throw .error(OVSDBError(.ovsdbError, "\(error)"))
    }
  }

  private func unknownOperation(_ members: OperationMembers) -> OVSDBError {
    var parser = ObjectParser(members.json, "ovsdb operation \(members.position) of \(members.count)")
    if let op = parser.required("op", .id) { parser.fail("No operation \"\(op.words)\"") }
    return parser.finish() ?? OVSDBError.syntaxError("No operation", at: members.json)
  }

  private mutating func perform(
    _ name: OperationName, _ members: OperationMembers, _ table: TableSchema?,
    _ context: borrowing TransactionContext, _ writer: inout ByteWriter
  ) throws {
    switch name {
    case .insert: try insert(members, table, &writer)
    case .select: try select(members, table, &writer)
    case .update: try update(members, table, &writer)
    case .mutate: try mutate(members, table, &writer)
    case .delete: try delete(members, table, &writer)
    case .wait: try wait(members, table, context, &writer)
    case .commit:
      if members.durable?.boolean == true { isDurable = true }
      writer.append("{}")
    case .abort: throw OVSDBError(.aborted, "aborted by request")
    case .comment:
      comments.append(members.comment?.words ?? "")
      writer.append("{}")
    case .assert:
      let lock = members.lock?.string ?? ""
      guard context.ownsLock(lock) else { throw OVSDBError(.notOwner, "Asserted lock \(lock) not held.") }
      writer.append("{}")
    }
  }
}
