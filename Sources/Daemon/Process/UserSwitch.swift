// SPDX-License-Identifier: Apache-2.0
//
// `--user=USER[:GROUP]`: becoming another user for good, before anything that belongs to that user is opened.
//
// Shape: `USER` and `USER:` take the user's login group, `:GROUP` keeps the user, `:` changes nothing. Names only.
// Source: ovs-vswitchd(8); observed: ovsdb-server 3.1 keeps no capabilities and no supplementary groups.

import Glibc

package struct UserSwitch: Equatable, Sendable {
  package var user: uid_t
  package var group: gid_t

  /// - Throws: For an unknown name, or a group that the user is not in.
  package init(parsing text: String) throws(UsageError) {
    guard geteuid() == 0 else {
      throw UsageError("--user option is only allowed when started by root, aborting.")
    }
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let userName = parts.first ?? ""
    let groupName = parts.count > 1 ? parts[1] : ""
    user = geteuid()
    group = getegid()
    if !userName.isEmpty {
      guard let entry = getpwnam(userName) else { throw UsageError("user \(userName) not found, aborting.") }
      user = entry.pointee.pw_uid
      group = entry.pointee.pw_gid
    }
    if !groupName.isEmpty {
      guard let entry = getgrnam(groupName) else { throw UsageError("group \(groupName) not found, aborting.") }
      guard try Self.isMember(user, loginGroup: group, of: entry.pointee) else {
        let name = getpwuid(user).map { String(cString: $0.pointee.pw_name) } ?? String(user)
        throw UsageError(
          "Invalid --user option \(text) (user \(name) is not in group \(groupName)), aborting.")
      }
      group = entry.pointee.gr_gid
    }
  }

  private static func isMember(_ user: uid_t, loginGroup: gid_t, of group: Glibc.group) throws(UsageError) -> Bool {
    if group.gr_gid == loginGroup { return true }
    guard let entry = getpwuid(user) else { throw UsageError("user \(user) not found, aborting.") }
    let name = String(cString: entry.pointee.pw_name)
    var member = group.gr_mem
    while let pointer = member, let text = pointer.pointee {
      if String(cString: text) == name { return true }
      member = pointer.advanced(by: 1)
    }
    return false
  }

  /// Changes this process; there is no way back.
  package func apply() throws(UsageError) {
    if let error = LogSystem.shared.changeFileOwner(user: user, group: group) {
      throw UsageError("could not give the log file to user \(user) (\(SystemError.text(error)))")
    }
    guard user != geteuid() || group != getegid() else { return }
    // The order matters: after setuid the rest would be refused. As root these set the real and saved ids too.
    guard setgroups(0, nil) == 0 else { throw Self.failure("supplementary groups") }
    guard setgid(group) == 0 else { throw Self.failure("group to \(group)") }
    guard setuid(user) == 0 else { throw Self.failure("user to \(user)") }
    guard geteuid() == user, getegid() == group else { throw UsageError("user is not \(user) after the change, aborting.") }
  }

  private static func failure(_ what: String) -> UsageError {
    UsageError("fail to switch \(what) (\(SystemError.text(errno))), aborting.")
  }
}
