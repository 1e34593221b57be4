// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Testing

@testable import JSONRPC

@Suite struct RPCConnectionTests {
  /// Sends the bytes, then closes our side, and returns all that the owner was told.
  private func events(of bytes: [UInt8]) async throws -> [Event] {
    let pair = try await Pair()
    pair.send(bytes)
    pair.shutDownSending()
    var seen: [Event] = []
    for await event in pair.events { seen.append(event) }
    return seen
  }

  private func events(of text: String) async throws -> [Event] { try await events(of: Array(text.utf8)) }

  @Test func theFourKindsOfMessagesAreTold() async throws {
    let seen = try await events(
      of: """
        {"method":"a","params":[1],"id":7} {"id":null,"method":"b","params":[]}
        {"id":1,"result":{"x":2},"error":null}{"id":"e","error":"no","result":null}
        """)
    #expect(
      seen == [
        .message(#"request "a" [1] 7"#), .message(#"notification "b" []"#), .message(#"reply 1 {"x":2}"#),
        .message(#"error "e" "no""#), .closed(.endOfFile),
      ])
  }

  @Test(arguments: [
    (#"[1]"#, "message is not a JSON object"),
    (#"{"id":1,"method":"echo","params":[],"x":null}"#, #"message has unexpected member "x""#),
    (#"{"id":1,"method":1,"params":[]}"#, "method is not a JSON string"),
    (#"{"id":"echo","result":1,"method":null}"#, "method is not a JSON string"),
    (#"{"id":1,"method":"a"}"#, #"request must have "params""#),
    (#"{"id":1,"method":"a","params":null}"#, #"request must have "params""#),
    (#"{"id":1,"method":"a","params":{}}"#, #""params" must be JSON array"#),
    (#"{"result":1}"#, #"reply must have "id""#),
    (#"{"result":1,"id":1,"method":"x"}"#, #"reply must not have "method""#),
    (#"{"result":1,"id":1,"params":[]}"#, #"reply must not have "params""#),
    (#"{"result":1,"id":1,"error":2}"#, #"reply must not have "error""#),
    (#"{"error":1}"#, #"error must have "id""#),
    (#"{"error":1,"method":"x","params":[],"id":1}"#, #"error must not have "method""#),
    (#"{}"#, #"notification must have "method""#),
    (#"{"id":1}"#, #"request must have "method""#),
    (#"{"method":"x"}"#, #"notification must have "params""#),
  ])
  func aMessageOfTheWrongShapeClosesTheConnection(text: String, problem: String) async throws {
    let pair = try await Pair()
    pair.send(text)
    var seen: [Event] = []
    for await event in pair.events { seen.append(event) }
    #expect(seen == [.failure("received bad JSON-RPC message: \(problem)"), .closed(.protocolError)])
    #expect(await pair.receive() == "")
  }

  @Test func textThatIsNotJSONClosesTheConnectionAfterEarlierAnswers() async throws {
    let pair = try await Pair()
    pair.send(#"{"id":1.0,"method":"echo","params":[{"b":1e0}]}{"id":2,"method":"x","params":[}"#)
    #expect(await pair.receive() == #"{"id":1,"result":[{"b":1}],"error":null}"#)
    var seen: [Event] = []
    for await event in pair.events { seen.append(event) }
    #expect(seen.count == 2)
    #expect(seen.last == .closed(.protocolError))
  }

  @Test func everySplitOfAMessageIsTheSameMessage() async throws {
    let pair = try await Pair()
    let text = #"{"method":"é\n","params":[1,"x"],"id":{"a":[null]}}"#
    let bytes = Array(text.utf8)
    var iterator = pair.events.makeAsyncIterator()
    for split in 1..<bytes.count {
      pair.send(Array(bytes[..<split]))
      // Makes sure that the two halves are two reads.
      _ = try await pair.perform { _, _ in 0 }
      pair.send(Array(bytes[split...]))
      #expect(await iterator.next() == .message(#"request "é\n" [1,"x"] {"a":[null]}"#))
    }
  }

  @Test func echoIsAnsweredAndRepliesToProbesAreSwallowed() async throws {
    let pair = try await Pair()
    pair.send(#"{"id":"echo","result":[]}{"id":[1],"method":"echo","params":["é\u0001"]}"#)
    let answer = #"{"id":[1],"result":["é\u0001"],"error":null}"#
    #expect(await pair.receive(answer.utf8.count) == answer)
    pair.shutDownSending()
    var seen: [Event] = []
    for await event in pair.events { seen.append(event) }
    #expect(seen == [.closed(.endOfFile)])
  }

  @Test func anOwnerMayAnswerEchoItself() async throws {
    let pair = try await Pair { connection, _ in connection.answersEcho = false }
    pair.send(#"{"id":3,"method":"echo","params":[]}"#)
    var iterator = pair.events.makeAsyncIterator()
    #expect(await iterator.next() == .message(#"request "echo" [] 3"#))
  }

  @Test func answersAreSentToAPeerThatShutDownItsSide() async throws {
    let pair = try await Pair()
    pair.send((0..<1000).map { #"{"id":\#($0),"method":"echo","params":[]}"# }.joined())
    pair.shutDownSending()
    #expect(await pair.receive() == (0..<1000).map { #"{"id":\#($0),"result":[],"error":null}"# }.joined())
  }

  @Test func outputAndSharedBuffersKeepTheirOrder() async throws {
    let pair = try await Pair()
    let shared = ByteBuffer(string: "[2]")
    try await pair.perform { connection, _ in
      connection.output.append("[1]")
      connection.write(shared: shared)
      connection.output.append("[3]")
      connection.write(shared: shared)
      connection.flush()
      connection.close()
    }
    #expect(await pair.receive() == "[1][2][3][2]")
  }

  @Test func aPeerThatDoesNotReadIsNotReadFrom() async throws {
    let pair = try await Pair()
    let chunk = ByteBuffer(repeating: UInt8(ascii: " "), count: 4 << 20)
    let isWritable = try await pair.perform { connection, _ in
      connection.write(shared: chunk)
      connection.flush()
      return connection.isWritable
    }
    #expect(!isWritable)
    // One read may have been asked for already; what follows it must wait.
    pair.send(#"{"id":1,"method":"m","params":[]}"#)
    _ = try await pair.perform { _, _ in 0 }
    pair.send(#"{"id":2,"method":"m","params":[]}"#)
    let received = await pair.receive(4 << 20)
    #expect(received?.utf8.count == 4 << 20)
    var iterator = pair.events.makeAsyncIterator()
    var seen: [Event] = []
    while seen.count < 3, let event = await iterator.next() { seen.append(event) }
    #expect(seen.contains(.writable))
    #expect(seen.last == .message(#"request "m" [] 2"#))
  }

  @Test func inputThatTheOwnerLeavesHoldsBackReading() async throws {
    let pair = try await Pair { _, recorder in recorder.takesMax = 1 }
    pair.send(#"{"id":1,"method":"m","params":[]}{"id":2,"method":"m","params":[]}"#)
    var iterator = pair.events.makeAsyncIterator()
    #expect(await iterator.next() == .message(#"request "m" [] 1"#))
    pair.send(#"{"id":3,"method":"m","params":[]}"#)
    let held = try await pair.perform { connection, _ in connection.input.bufferedCount }
    #expect(held == #"{"id":2,"method":"m","params":[]}"#.utf8.count)
    try await pair.perform { connection, recorder in
      recorder.takesMax = .max
      recorder.inputAvailable(connection)
    }
    #expect(await iterator.next() == .message(#"request "m" [] 2"#))
    #expect(await iterator.next() == .message(#"request "m" [] 3"#))
  }

  @Test func pausedReadingResumes() async throws {
    let pair = try await Pair()
    try await pair.perform { connection, _ in connection.pauseReading() }
    pair.send(#"{"id":1,"method":"m","params":[]}"#)
    _ = try await pair.perform { _, _ in 0 }
    pair.send(#"{"id":2,"method":"m","params":[]}"#)
    try await pair.perform { connection, recorder in
      connection.resumeReading()
      recorder.inputAvailable(connection)
    }
    var iterator = pair.events.makeAsyncIterator()
    #expect(await iterator.next() == .message(#"request "m" [] 1"#))
    #expect(await iterator.next() == .message(#"request "m" [] 2"#))
  }

  // MARK: - Probes

  @Test func aSilentPeerIsAskedAndThenDropped() async throws {
    let begin = NIODeadline.now()
    let pair = try await Pair { connection, _ in connection.probeIntervalMilliseconds = 1 }
    #expect(await pair.receive() == #"{"id":"echo","method":"echo","params":[]}"#)
    #expect(NIODeadline.now() - begin > .milliseconds(1800))
    var seen: [Event] = []
    for await event in pair.events { seen.append(event) }
    #expect(seen == [.closed(.probeTimeout)])
  }

  @Test func anyByteIsASignOfLife() async throws {
    let pair = try await Pair()
    let request = #"{"id":"echo","method":"echo","params":[]}"#
    // Without the byte the connection would end instead of asking again.
    #expect(await pair.receiveAnsweringReceive(probing: 2000, request.utf8.count, " ") == [request, request])
  }

  @Test func aPeerThatAnsweredWhileTheLoopWasBusyIsNotDropped() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let pair = try await Pair(on: group.next())
    let request = #"{"id":"echo","method":"echo","params":[]}"#
    // The answer lies in the socket when the time is up. It is asked again, and not dropped.
    let answer = #"{"id":"echo","result":[],"error":null}"#
    let seen = await pair.receiveAnsweringReceive(probing: 1000, request.utf8.count, answer, busyMicroseconds: 1_500_000)
    #expect(seen == [request, request])
    try await pair.perform { connection, _ in connection.close() }
    try await group.shutdownGracefully()
  }

  @Test func aConnectionWhoseInputWaitsForUsIsNotProbed() async throws {
    let pair = try await Pair { _, recorder in recorder.takesMax = 0 }
    pair.send(#"{"id":1,"method":"m","params":[]}"#)
    while try await pair.perform({ connection, _ in connection.isDrained }) {}
    try await pair.perform { connection, _ in connection.probeIntervalMilliseconds = 1000 }
    // Longer than asking and dropping would take.
    #expect(await pair.isSilent(milliseconds: 2500))
  }
}
