// SPDX-License-Identifier: Apache-2.0
//
// Files of cluster members, as ovsdb-tool reads them.

import DatabaseTool
import Journal
import JSON

extension FuzzTarget {
  /// The input is the records of a file, one text after the other, or of two, parted by `[]`; they get headers that fit. What becomes
  /// a standalone file is a database, or its own reader says why not.
  static let cluster = FuzzTarget(
    name: "cluster",
    words: Catalog.words + [
      "\"term\":1", "\"index\":1", "\"servers\":{", "\"election_timer\":1000", "\"data\":[null,{", "\"vote\":", "\"leader\":",
      "\"commit_index\":1", "\"note\":\"left\"", "\"comment\":\"c\"", "\"eid\":\"00000000-0000-0000-0000-000000000001\"", "-1", "-2",
      "\"prev_index\":", "\"prev_term\":", "\"prev_data\":[", "\"remote_addresses\":[\"tcp:127.0.0.1:1\"]", "9223372036854775807",
    ]
  ) { bytes in
    var stream = JSONStream(messageBytesMax: 1 << 20)
    stream.append(bytes)
    var files: [[UInt8]] = [[]]
    while let record = try? stream.next() {
      if record.kind == .array { files.append([]) } else { files[files.count - 1] += framed(record) }
    }
    var paths: [String] = []
    for (number, content) in files.prefix(2).enumerated() {
      let path = try ScratchFile.fresh("member\(number).db")
      try ScratchFile.write(content, to: path)
      paths.append(path)
      let output = try ScratchFile.fresh("standalone.db")
      guard ClusterProbe.run(path, to: output) else { continue }
      guard let database = try? DatabaseFile.read(output) else { continue }
      let faults = database.checkInvariants()
      try require(faults.isEmpty, "\(faults)")
    }
    ClusterProbe.compare(paths)
  }

  private static func framed(_ record: JSONValue) -> [UInt8] {
    var data = ByteWriter()
    record.write(to: &data)
    data.append("\n")
    let digest = data.withBytes { SHA1Digest(of: $0) }
    return Array("OVSDB CLUSTER \(data.count) \(digest)\n".utf8) + data.bytes
  }
}
