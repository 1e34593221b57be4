// SPDX-License-Identifier: Apache-2.0
//
// ovsdb-fuzz-server [FIRST-SEED [COUNT [STEPS]]]: runs of the stateful fuzzer, one seed after the other, for as long as they last.

import StatefulFuzz

let numbers = CommandLine.arguments.dropFirst().map { UInt64($0) ?? 0 }
let first = numbers.first ?? 0
let count = numbers.dropFirst().first ?? 1000
let steps = Int(numbers.dropFirst(2).first ?? 300)
var failures = 0
for seed in first..<(first + count) {
  do {
    let report = try StatefulFuzzer.run(seed: seed, steps: steps)
    if seed % 10 == 0 { print("seed \(seed): \(report)") }
  } catch {
    failures += 1
    print("seed \(seed), \(steps) steps: \(error)")
  }
}
print("\(count) seeds, \(failures) failures")
