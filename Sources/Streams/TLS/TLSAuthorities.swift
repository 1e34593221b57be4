// SPDX-License-Identifier: Apache-2.0
//
// Several certificates of one CA in a file, as when it was renewed: the TLS library takes any of them and gives up when that one has run
// out, so it is given the one that holds.

import Glibc
internal import NIOSSL

/// The CA certificates of a file, one for each name and key.
struct TLSAuthorities {
  private(set) var certificates: [NIOSSLCertificate] = []
  /// When another one of the certificates may be the one that holds, in seconds since 1970.
  private(set) var soundUntil = time_t.max

  private struct Identity: Hashable {
    let subject: [UInt8]
    let key: [UInt8]
  }

  /// - Parameter now: in seconds since 1970.
  init(_ all: [NIOSSLCertificate], at now: time_t) {
    var places: [Identity: (index: Int, validity: CertificateValidity)] = [:]
    for certificate in all {
      guard let der = try? certificate.toDERBytes(), let fields = CertificateFields(der: der), let validity = CertificateValidity(der: der)
      else {
        certificates.append(certificate)
        continue
      }
      let identity = Identity(subject: Array(fields.subject.bytes), key: Array(fields.publicKey.bytes))
      guard let place = places[identity] else {
        places[identity] = (certificates.count, validity)
        certificates.append(certificate)
        continue
      }
      for time in [validity.begin, validity.end, place.validity.begin, place.validity.end] where time >= now {
        soundUntil = min(soundUntil, time)
      }
      guard validity.isPreferable(to: place.validity, at: now) else { continue }
      places[identity]?.validity = validity
      certificates[place.index] = certificate
    }
  }
}

extension CertificateValidity {
  /// Whether it holds and the other does not, or for longer.
  fileprivate func isPreferable(to other: CertificateValidity, at now: time_t) -> Bool {
    let (holds, otherHolds) = (objection(at: now) == nil, other.objection(at: now) == nil)
    return holds == otherHolds ? end > other.end : holds
  }
}
