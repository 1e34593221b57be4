// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import Streams

@Suite struct ConnectionMethodTests {
  /// As a client reads it.
  private func kind(_ name: String) -> ConnectionMethod.Kind { ConnectionMethod.parseForClient(name).kind }

  /// Why a server refuses a name.
  private func refusal(_ name: String, origin: ConnectionMethod.Origin = .commandLine) -> String? {
    do {
      _ = try ConnectionMethod.parse(name, origin: origin)
      return nil
    } catch {
      return error.description
    }
  }

  private func passive(_ text: String) throws -> InternetAddress { try InternetAddress(passive: text[...]) }
  private func active(_ text: String) throws -> InternetAddress { try InternetAddress(active: text[...]) }

  @Test func unixPathsAreKeptAsWritten() {
    #expect(kind("punix:db.sock") == .punix(path: "db.sock"))
    #expect(kind("unix:/run/a:b") == .unix(path: "/run/a:b"))
  }

  @Test(arguments: [
    ("", "", 6640, false), ("6641", "", 6641, true), ("0:127.0.0.1", "127.0.0.1", 0, true),
    (":127.0.0.1", "127.0.0.1", 6640, false), ("6640:[::1]", "::1", 6640, true), ("0:[fe80::1%eth0]", "fe80::1%eth0", 0, true),
    ("0:[::]", "::", 0, true), ("0:localhost", "localhost", 0, true),
  ])
  func passiveAddresses(text: String, host: String, port: UInt16, isExplicit: Bool) throws {
    let address = try passive(text)
    #expect(address.host == host)
    #expect(address.port == port)
    #expect(address.hasExplicitPort == isExplicit)
  }

  @Test(arguments: [
    ("127.0.0.1", "127.0.0.1", 6640), ("[::1]:5", "::1", 5), ("[fe80::1%eth0]", "fe80::1%eth0", 6640), ("a.example:1", "a.example", 1),
  ])
  func activeAddresses(text: String, host: String, port: UInt16) throws {
    let address = try active(text)
    #expect(address.host == host)
    #expect(address.port == port)
  }

  @Test(arguments: [
    ("ptcp:99999", "99999: bad port number \"99999\""), ("ptcp:abc", "abc: bad port number \"abc\""),
    ("ptcp:-1:127.0.0.1", "-1:127.0.0.1: bad port number \"-1\""), ("ptcp:0:::1", "0:::1: port must be specified"),
    ("tcp:[::1", "[::1: port must be specified"), ("tcp:1.2.3.4:x", "1.2.3.4:x: bad port number \"x\""),
  ])
  func malformedAddressesKeepTheirMessage(name: String, message: String) {
    guard case .malformed(_, .socketUtil, let text, let code) = kind(name) else {
      Issue.record("\(name) is not malformed")
      return
    }
    #expect(text == message)
    #expect(code == EAFNOSUPPORT)
    #expect(refusal(name) == "\(name): \(message)")
  }

  @Test(arguments: ["foo", "foo:bar", "", ":x", "PTCP:1"])
  func anUnknownMethodIsActiveForAClientAndRefusedByAServer(name: String) {
    #expect(kind(name) == .unknown)
    #expect(!ConnectionMethod.parseForClient(name).isPassive)
    for origin in [ConnectionMethod.Origin.commandLine, .controlSocket, .configurationFile, .database] {
      #expect(refusal(name, origin: origin)?.contains("the methods are punix, ptcp, pssl, pfd, unix, tcp and ssl") == true)
    }
  }

  @Test(arguments: [
    ("ptcp:1:300.1.1.1", "bad IP address \"300.1.1.1\""), ("ptcp:1:[fe80::x]", "bad IP address \"fe80::x\""),
    ("tcp:[::1%]:1", "bad IP address \"::1%\""), ("ssl:a b:1", "bad host name \"a b\""), ("tcp:/run/s:1", "bad host name \"/run/s\""),
    ("tcp:", "the host is missing"), ("tcp::6640", "the host is missing"), ("punix:", "the name of the socket file is missing"),
    ("unix:a\0b", "a file name cannot contain a null byte"),
    ("ptcp:1:a..b", "bad host name \"a..b\""), ("ptcp:1:.a", "bad host name \".a\""), ("tcp:-5", "bad host name \"-5\""),
    ("tcp:a.-b:1", "bad host name \"a.-b\""), ("tcp:a..:1", "bad host name \"a..\""),
    ("ssl:\(String(repeating: "a", count: 64)).b:1", "bad host name \"\(String(repeating: "a", count: 64)).b\""),
    ("tcp:\(String(repeating: "a", count: 254)):1", "the host's name is longer than 253 bytes"),
  ])
  func hostsAndFilesThatCannotBeAreRefused(name: String, flaw: String) {
    #expect(refusal(name) == "\(name): \(flaw)")
  }

  @Test(arguments: [
    "ptcp:", "ptcp:0", "ptcp:1:localhost", "pssl:1:[fe80::1%eth0]", "ptcp:1:[::]", "tcp:127.1:1", "tcp:my-host_1.example.", "tcp:_a.b-:1", "tcp:3com.example:1", "ssl:bücher.example:1",
    "punix:a b", "unix:/x:y", "pfd:0", "pfd:name",
  ])
  func whatMayWorkIsTaken(name: String) { #expect(refusal(name) == nil) }

  @Test(arguments: ["ptcp:1", "punix:a", "pssl:", "pfd:3"])
  func aSourceMustBeConnectedTo(name: String) {
    #expect(throws: ConnectionMethod.Refusal.self) { try ConnectionMethod.parse(source: name, origin: .commandLine) }
  }

  @Test(arguments: ["pfd:", "pfd:2147483648", "pfd:99999999999999999999"])
  func badDescriptorsAreMalformed(name: String) {
    guard case .malformed(true, .streamFD, let text, _) = kind(name) else {
      Issue.record("\(name) is not malformed")
      return
    }
    #expect(text == "\(name): bad file descriptor")
    #expect(refusal(name) == "\(name): bad file descriptor")
  }

  @Test(arguments: [ConnectionMethod.Origin.controlSocket, .database, .configurationFile], ["pfd:5", "pfd:x", "pfd:"])
  func inheritedDescriptorsAreRefusedFromOutside(origin: ConnectionMethod.Origin, name: String) {
    #expect(
      throws: ConnectionMethod.Refusal(description: "pfd: remotes can only be specified on the command line")
    ) { try ConnectionMethod.parse(name, origin: origin) }
  }

  @Test(arguments: ["x", "-1", "+1", " 1", "ovsdb.socket", "0x3", "٣"])
  func whatIsNoNumberIsAName(name: String) throws {
    #expect(kind("pfd:\(name)") == .pfdNamed(name))
    #expect(try ConnectionMethod.parse("pfd:\(name)", origin: .commandLine).isPassive)
  }

  @Test func inheritedDescriptorsAreTakenFromTheStarter() throws {
    #expect(try ConnectionMethod.parse("pfd:5", origin: .commandLine).kind == .pfd(descriptor: 5))
  }

  @Test func onlyNetworkMethodsProbeByDefault() throws {
    for (name, interval) in [("ptcp:", 5000), ("tcp:a", 5000), ("ssl:a", 5000), ("punix:a", 0), ("unix:a", 0), ("pfd:3", 0)] {
      #expect(try ConnectionMethod.parse(name, origin: .commandLine).defaultProbeIntervalMilliseconds == Int64(interval))
    }
  }
}
