// SPDX-License-Identifier: Apache-2.0
//
// The names in a certificate. The TLS library verifies certificates but does not tell whose they are.
//
// Source: RFC 5280 §4.1.2.4.

/// Subject and issuer of an X.509 certificate.
struct CertificateName: Equatable {
  /// The first common name of the subject, when there is one that is text.
  let commonName: String?
  /// The subject on one line: `/O=Example/CN=name`.
  let subject: String
  private let subjectDER: [UInt8]
  private let issuerDER: [UInt8]

  /// Subject and issuer are the same, as with a root CA.
  var isSelfIssued: Bool { issuerDER == subjectDER }

  /// Whether the other certificate is, by its name, that of the CA that made this one.
  func isIssued(by authority: CertificateName) -> Bool { issuerDER == authority.subjectDER }

  /// - Returns: nil for bytes that are no certificate.
  init?(der: [UInt8]) {
    guard let fields = CertificateFields(der: der) else { return nil }
    issuerDER = Array(fields.issuer.bytes)
    subjectDER = Array(fields.subject.bytes)
    guard let attributes = Self.attributes(fields.subject) else { return nil }
    commonName = attributes.first { $0.type.elementsEqual(Self.commonNameType) }.flatMap(\.text)
    self.subject = attributes.map { "/\(Self.shortName($0.type))=\($0.text ?? "?")" }.joined()
  }

  private struct Attribute {
    let type: ArraySlice<UInt8>
    let text: String?
  }

  private static let commonNameType: [UInt8] = [0x55, 0x04, 0x03]

  /// RDNSequence: a sequence of sets of (type, value).
  private static func attributes(_ name: DERReader) -> [Attribute]? {
    var name = name
    var attributes: [Attribute] = []
    while !name.isAtEnd {
      guard var relative = name.next(0x31) else { return nil }
      while !relative.isAtEnd {
        guard var pair = relative.next(0x30), let type = pair.next(0x06), let tag = pair.peek, let value = pair.next(tag)
        else { return nil }
        attributes.append(Attribute(type: type.bytes, text: text(value.bytes, tag: tag)))
      }
    }
    return attributes
  }

  /// The text of a DirectoryString. One with a NUL is none: what looks at it as a C string would see another name.
  private static func text(_ bytes: ArraySlice<UInt8>, tag: UInt8) -> String? {
    let text: String?
    switch tag {
    // UTF8String, PrintableString, TeletexString, IA5String
    case 0x0c, 0x13, 0x14, 0x16: text = String(validating: bytes, as: UTF8.self)
    // BMPString
    case 0x1e where bytes.count.isMultiple(of: 2):
      let units = stride(from: bytes.startIndex, to: bytes.endIndex, by: 2).map {
        UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
      }
      text = String(validating: units, as: UTF16.self)
    default: text = nil
    }
    return text.flatMap { $0.utf8.contains(0) ? nil : $0 }
  }

  private static func shortName(_ type: ArraySlice<UInt8>) -> String {
    switch Array(type) {
    case commonNameType: "CN"
    case [0x55, 0x04, 0x06]: "C"
    case [0x55, 0x04, 0x07]: "L"
    case [0x55, 0x04, 0x08]: "ST"
    case [0x55, 0x04, 0x0a]: "O"
    case [0x55, 0x04, 0x0b]: "OU"
    case [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01]: "emailAddress"
    default: "?"
    }
  }
}
