// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer's entry points. The target is named by OVSDB_FUZZ_TARGET; utilities/fuzz.sh builds and runs this. With OVSDB_FUZZ_WORDS it
// prints the target's words as a dictionary. With -close_fd_mask=3 what the code under test says by itself (log lines, millions of them)
// goes nowhere.

import FuzzTargets
import Glibc

/// Chosen before the first input; libFuzzer calls from one thread.
private let chosen: FuzzTarget = {
  let name = getenv("OVSDB_FUZZ_TARGET").map { String(cString: $0) } ?? ""
  if let target = FuzzTarget.all.first(where: { $0.name == name }) { return target }
  say("OVSDB_FUZZ_TARGET must be one of \(FuzzTarget.all.map(\.name).joined(separator: " "))")
  exit(2)
}()

/// Standard error as it was at the start.
private let errors = dup(STDERR_FILENO)

private func say(_ text: String) {
  var line = text + "\n"
  _ = line.withUTF8 { write(errors, $0.baseAddress, $0.count) }
}

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutableRawPointer, _ arguments: UnsafeMutableRawPointer) -> CInt {
  _ = errors
  let target = chosen
  guard getenv("OVSDB_FUZZ_WORDS") != nil else { return 0 }
  for word in target.words { print(dictionaryLine(word)) }
  exit(0)
}

/// A line of libFuzzer's dictionaries: the bytes in quotes, unusual ones in hexadecimal.
private func dictionaryLine(_ word: String) -> String {
  let digits = Array("0123456789abcdef")
  let bytes = word.utf8.map { byte in
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), ..<0x20, 0x7f...: "\\x\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
    default: String(UnicodeScalar(byte))
    }
  }
  return "\"\(bytes.joined())\""
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do {
    try chosen.run(UnsafeRawBufferPointer(start: start, count: count))
  } catch {
    say("\(chosen.name): \(error)")
    // What must hold does not: libFuzzer keeps the input of whoever aborts.
    abort()
  }
  return 0
}
