// SPDX-License-Identifier: Apache-2.0
//
// The log file on disk: records, recovery, locking, compaction, and what ovsdb-tool does to files.
//
// The bytes, from the ground up:
//   FileSystem.swift      every system call this target makes, in one value that a test can replace
//   LogError.swift        what goes wrong with a file, in the words users know
//   RecordHeader.swift    the format of a record (the specification of the bytes is there)
//   SHA1Digest.swift      the hash in it
//   RecordReader.swift    records out of a file, one after the other
//   ReadAhead.swift       the same on a thread of its own, parsed
//   RecordScan.swift      records behind damage
//   FileLock.swift        who may write
//   LogFile.swift         one open file: load, sync
//   LogFile+Append.swift  records behind those that are there
//   LogAppendix.swift     a large record written by another thread
//   LogReplacement.swift  a new file put in the place of the old one while the old one still grows
//   CompactionSchedule.swift  when a file is worth compacting
// and what they mean:
//   TransactionRecord+Reading.swift, +Writing.swift  commits and snapshots as JSON (the specification of the JSON is there)
//   DatabaseFile.swift    a file made into a database
//   Conversion.swift      the rows of a database under another schema
//
// What always holds:
//   (1) Bytes of the file before `size` form whole records; whatever stands behind is cut off before the next write.
//   (2) A file whose damage is followed by good records, or whose bad record is whole, is never written, so nothing good
//       is ever cut off.
//   (3) A record counts as written when the kernel took all of it; otherwise nothing of it stays in the file.
//   (4) After a failed sync nothing more is appended: the kernel may have dropped what came before. A replacement heals.
//   (5) A file takes another's name only when all that was ever reported as durable is on stable storage in it.
