// SPDX-License-Identifier: Apache-2.0
//
// A disk that forgets what was not synced. It stands at the journal's one seam to the kernel (FileSystem.swift) and keeps, for each
// file and for the names, what programs see and what would survive a loss of power; when the power is lost, chance decides how much of
// the difference had reached the disk by itself.

import Foundation
import Synchronization

@testable import Journal

final class SimulatedDisk: Sendable {
  /// How the disk treats what was not synced.
  enum Habit: CaseIterable {
    /// Writes reach it in their order, and the last one may be cut off anywhere.
    case ordered
    /// Each sector reaches it or not, whatever the others do.
    case anySectors
  }

  private enum Change {
    case write(offset: Int, bytes: [UInt8])
    case truncate(Int)
  }

  private struct File {
    var seen: [UInt8] = []
    var durable: [UInt8] = []
    /// What `seen` has and `durable` has not, in order.
    var changes: [Change] = []
  }

  private enum NameChange {
    case link(String, Int)
    case rename(String, String)
    case remove(String)

    func apply(to names: inout [String: Int]) {
      switch self {
      case .link(let name, let inode): names[name] = inode
      case .rename(let from, let to): names[to] = names.removeValue(forKey: from)
      case .remove(let name): names[name] = nil
      }
    }
  }

  private struct State {
    var files: [Int: File] = [:]
    var names: [String: Int] = [:]
    var durableNames: [String: Int] = [:]
    var nameChanges: [NameChange] = []
    /// Open files; nil for a directory.
    var descriptors: [Int32: Int?] = [:]
    var nextNumber = 1
    /// Calls that change something, until the power is lost; nil: it stays.
    var callsLeft: Int?
    var isDead = false
    var writeFault: Int?
    var failsNextSync = false
  }

  private let state = Mutex<State>(State())
  /// False: files can be made in the directories, but these cannot be opened.
  private let hasReadableDirectories: Bool

  init(hasReadableDirectories: Bool = true) { self.hasReadableDirectories = hasReadableDirectories }

  private static let firstDescriptor: Int32 = 1_000_000
  private static let sectorByteCount = 64

  // MARK: - What the tests do to it

  /// Loses power at a call that changes something, counted from now: the call does nothing, and no later one does.
  func losePower(afterCalls count: Int) { state.withLock { $0.callsLeft = count } }

  var isDead: Bool { state.withLock { $0.isDead } }

  /// Lets the next write take so many bytes, and then say that the disk is full.
  func failNextWrite(afterBytes count: Int) { state.withLock { $0.writeFault = count } }

  /// Lets the next sync of data fail, and forgets what it should have synced, as kernels do: programs go on seeing it.
  func failNextSync() { state.withLock { $0.failsNextSync = true } }

  /// Makes a file that is on the disk.
  func put(_ bytes: [UInt8], at path: String) {
    state.withLock { state in
      let inode = state.names[path] ?? state.nextNumber
      state.nextNumber += 1
      state.files[inode] = File(seen: bytes, durable: bytes)
      state.names[path] = inode
      state.durableNames[path] = inode
    }
  }

  func contents(of path: String) -> [UInt8]? { state.withLock { state in state.names[path].flatMap { state.files[$0]?.seen } } }

  /// The power is back: what reached the disk is all there is.
  func reboot(_ habit: Habit, using random: inout some RandomNumberGenerator) {
    state.withLock { state in
      for change in state.nameChanges.prefix(Int.random(in: 0...state.nameChanges.count, using: &random)) {
        change.apply(to: &state.durableNames)
      }
      var files: [Int: File] = [:]
      for inode in Set(state.durableNames.values) {
        let bytes = state.files[inode].map { Self.survivors(of: $0, habit, &random) } ?? []
        files[inode] = File(seen: bytes, durable: bytes)
      }
      state = State(files: files, names: state.durableNames, durableNames: state.durableNames, nextNumber: state.nextNumber)
    }
  }

  private static func survivors(of file: File, _ habit: Habit, _ random: inout some RandomNumberGenerator) -> [UInt8] {
    var bytes = file.durable
    let reached = file.changes.prefix(Int.random(in: 0...file.changes.count, using: &random))
    for (place, change) in reached.enumerated() {
      guard case .write(let offset, let data) = change else {
        apply(change, to: &bytes)
        continue
      }
      switch habit {
      case .ordered:
        let isLast = place == reached.count - 1
        let count = isLast ? Int.random(in: 0...data.count, using: &random) : data.count
        apply(.write(offset: offset, bytes: Array(data.prefix(count))), to: &bytes)
      case .anySectors:
        var start = 0
        while start < data.count {
          let end = min(data.count, start + sectorByteCount - (offset + start) % sectorByteCount)
          if Bool.random(using: &random) { apply(.write(offset: offset + start, bytes: Array(data[start..<end])), to: &bytes) }
          start = end
        }
      }
    }
    return bytes
  }

  private static func apply(_ change: Change, to bytes: inout [UInt8]) {
    switch change {
    case .write(let offset, let data):
      if data.isEmpty { return }
      if bytes.count < offset { bytes += [UInt8](repeating: 0, count: offset - bytes.count) }
      bytes.replaceSubrange(offset..<min(bytes.count, offset + data.count), with: data)
    case .truncate(let size):
      bytes = Array(bytes.prefix(size)) + [UInt8](repeating: 0, count: max(0, size - bytes.count))
    }
  }

  // MARK: - The system calls

  /// One that changes something.
  private func changing<R>(_ body: (inout State) throws(SystemError) -> R) throws(SystemError) -> R {
    let result: Result<R, SystemError> = state.withLock { state in
      if state.isDead { return .failure(SystemError(code: EIO)) }
      if let left = state.callsLeft {
        state.callsLeft = left - 1
        if left <= 0 {
          state.isDead = true
          return .failure(SystemError(code: EIO))
        }
      }
      do throws(SystemError) { return .success(try body(&state)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  private func open(_ path: String, _ flags: Int32) throws(SystemError) -> Int32 {
    try changing { state throws(SystemError) in
      let number = Self.firstDescriptor + Int32(state.nextNumber)
      state.nextNumber += 1
      if flags & O_DIRECTORY != 0 {
        if !hasReadableDirectories { throw SystemError(code: EACCES) }
        state.descriptors[number] = .some(nil)
        return number
      }
      if let inode = state.names[path] {
        if flags & O_EXCL != 0 { throw SystemError(code: EEXIST) }
        state.descriptors[number] = inode
        return number
      }
      guard flags & O_CREAT != 0 else { throw SystemError(code: ENOENT) }
      let inode = state.nextNumber
      state.nextNumber += 1
      state.files[inode] = File()
      state.names[path] = inode
      state.nameChanges.append(.link(path, inode))
      state.descriptors[number] = inode
      return number
    }
  }

  private func change(_ number: Int32, _ change: Change) throws(SystemError) {
    try changing { state throws(SystemError) in
      guard case .some(.some(let inode)) = state.descriptors[number] else { throw SystemError(code: EBADF) }
      Self.apply(change, to: &state.files[inode, default: File()].seen)
      state.files[inode]?.changes.append(change)
    }
  }

  private func syncAll() throws(SystemError) {
    try changing { state throws(SystemError) in
      for (inode, file) in state.files { state.files[inode] = File(seen: file.seen, durable: file.seen) }
      state.durableNames = state.names
      state.nameChanges = []
    }
  }

  private func sync(_ number: Int32) throws(SystemError) {
    try changing { state throws(SystemError) in
      guard let target = state.descriptors[number] else { throw SystemError(code: EBADF) }
      guard let inode = target else {
        state.durableNames = state.names
        state.nameChanges = []
        return
      }
      let fails = state.failsNextSync
      state.failsNextSync = false
      if !fails, let seen = state.files[inode]?.seen { state.files[inode]?.durable = seen }
      state.files[inode]?.changes = []
      if fails { throw SystemError(code: EIO) }
    }
  }

  var fileSystem: FileSystem {
    let live = FileSystem.system
    var system = live
    // The lock is the kernel's, on a real file.
    system.open = { path, flags, mode throws(SystemError) in
      path.hasSuffix("~lock~") ? try live.open(path, flags, mode) : try self.open(path, flags)
    }
    system.close = { number in
      if number < Self.firstDescriptor { live.close(number) } else { self.state.withLock { $0.descriptors[number] = nil } }
    }
    system.read = { number, buffer, offset throws(SystemError) in
      let bytes = self.state.withLock { state -> ArraySlice<UInt8>? in
        guard case .some(.some(let inode)) = state.descriptors[number], let seen = state.files[inode]?.seen else { return nil }
        return seen.dropFirst(offset).prefix(buffer.count)
      }
      guard let bytes else { throw SystemError(code: EISDIR) }
      buffer.copyBytes(from: bytes)
      return bytes.count
    }
    system.write = { number, bytes, offset throws(SystemError) in
      var data = Array(bytes)
      let fault = self.state.withLock { state in
        defer { state.writeFault = nil }
        return state.writeFault
      }
      if let fault {
        if fault == 0 { throw SystemError(code: ENOSPC) }
        // The rest is asked for again, and refused then.
        data = Array(data.prefix(fault))
        self.failNextWrite(afterBytes: 0)
      }
      try self.change(number, .write(offset: offset, bytes: data))
      return data.count
    }
    system.truncate = { number, size throws(SystemError) in try self.change(number, .truncate(size)) }
    system.sync = { number throws(SystemError) in try self.sync(number) }
    system.syncAll = { _ throws(SystemError) in try self.syncAll() }
    system.syncData = { number throws(SystemError) in try self.sync(number) }
    system.status = { number throws(SystemError) in
      if number < Self.firstDescriptor { return try live.status(number) }
      return try self.status(number)
    }
    system.statusOfName = { path throws(SystemError) in
      if path.hasSuffix("~lock~") { return try live.statusOfName(path) }
      guard let inode = self.state.withLock({ $0.names[path] }) else { throw SystemError(code: ENOENT) }
      return Self.status(inode, size: 0)
    }
    system.setMode = { _, _ throws(SystemError) in }
    system.setOwner = { _, _, _ throws(SystemError) in }
    system.rename = { from, to throws(SystemError) in
      try self.changing { state throws(SystemError) in
        guard state.names[from] != nil else { throw SystemError(code: ENOENT) }
        NameChange.rename(from, to).apply(to: &state.names)
        state.nameChanges.append(.rename(from, to))
      }
    }
    system.remove = { path throws(SystemError) in
      try self.changing { state throws(SystemError) in
        guard state.names[path] != nil else { throw SystemError(code: ENOENT) }
        state.names[path] = nil
        state.nameChanges.append(.remove(path))
      }
    }
    system.linkTarget = { _ in nil }
    return system
  }

  private func status(_ number: Int32) throws(SystemError) -> FileStatus {
    let found = state.withLock { state -> (Int, Int)? in
      guard case .some(.some(let inode)) = state.descriptors[number], let file = state.files[inode] else { return nil }
      return (inode, file.seen.count)
    }
    guard let (inode, size) = found else { throw SystemError(code: EBADF) }
    return Self.status(inode, size: size)
  }

  private static func status(_ inode: Int, size: Int) -> FileStatus {
    var raw = stat()
    raw.st_ino = ino_t(inode)
    raw.st_size = off_t(size)
    raw.st_mode = 0o100660
    return FileStatus(raw)
  }
}
