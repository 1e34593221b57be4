// SPDX-License-Identifier: Apache-2.0

import NIOSSL
import Testing

@testable import Streams

@Suite struct TLSOptionTests {
  @Test(arguments: [
    ("TLSv1.2", TLSVersion.tlsv12, TLSVersion.tlsv12), ("TLSv1.3", .tlsv13, .tlsv13), ("TLSv1.2,TLSv1.3", .tlsv12, .tlsv13),
    ("TLSv1.3 TLSv1.2", .tlsv12, .tlsv13), ("TLSv1.2-TLSv1.3", .tlsv12, .tlsv13), ("TLSv1.2+", .tlsv12, .tlsv13),
    ("TLSv1.3+", .tlsv13, .tlsv13), ("tlsv1.3", .tlsv13, .tlsv13), ("TLSv1\tTLSv1.1,TLSv1.2", .tlsv12, .tlsv12),
    ("TLSv1+", .tlsv12, .tlsv13),
  ])
  func protocolsAreAListOrARange(_ text: String, _ oldest: TLSVersion, _ newest: TLSVersion) throws {
    #expect(try TLSProtocols.parse(text).protocols == TLSProtocols(oldest: oldest, newest: newest))
  }

  @Test(arguments: ["", " ,", "foo", "TLSv1", "TLSv1,TLSv1.1", "TLSv1.3-TLSv1.2", "TLSv1.2,foo", "-", "+", "TLSv1.2-"])
  func whatNamesNoVersionIsRefused(_ text: String) {
    #expect(throws: TLSProtocols.Complaint.self) { try TLSProtocols.parse(text) }
  }

  @Test func oldVersionsAreNamedWhenTheyAreLeftOut() throws {
    #expect(try TLSProtocols.parse("TLSv1,TLSv1.2").warnings == ["TLSv1: versions of TLS before 1.2 are not supported"])
  }

  @Test(arguments: [
    ("ECDHE-RSA-AES128-GCM-SHA256", ["ECDHE-RSA-AES128-GCM-SHA256"]),
    ("AES128-SHA:foo:AES256-SHA", ["AES128-SHA", "AES256-SHA"]),
    ("kRSA+AESGCM", ["AES256-GCM-SHA384", "AES128-GCM-SHA256"]),
    ("CHACHA20+aRSA", ["ECDHE-RSA-CHACHA20-POLY1305"]),
    ("kRSA:!AES128", ["AES256-GCM-SHA384", "AES256-SHA"]),
    ("!AES128:kRSA", ["AES256-GCM-SHA384", "AES256-SHA"]),
    ("kRSA:-AES128:AES128-SHA", ["AES256-GCM-SHA384", "AES256-SHA", "AES128-SHA"]),
    ("kRSA:+AES256", ["AES128-GCM-SHA256", "AES128-SHA", "AES256-GCM-SHA384", "AES256-SHA"]),
    ("foo", []), ("", []), (":::", []), ("!ALL", []), ("ALL:!HIGH", []), ("+", []), ("@STRENGTH", []),
  ])
  func cipherStringsSelectInTheirOrder(_ text: String, _ names: [String]) {
    #expect(TLSCipher.selected(by: text).map(\.name) == names)
  }

  @Test(arguments: ["HIGH:!aNULL:!MD5", "DEFAULT", "ALL", "HIGH:!aNULL:!MD5:@SECLEVEL=1"])
  func usualCipherStringsSelectEverything(_ text: String) {
    #expect(TLSCipher.selected(by: text) == TLSCipher.all)
  }
}
