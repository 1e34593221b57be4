#!/usr/bin/env bash
# Installs what the tests need, builds everything, runs all tests, lets the clients of the field at our programs, and then fuzzes for a
# minute. With arguments: what `swift test` takes, such as `--filter EngineTests`, and these tests alone.
set -euo pipefail
. "$(dirname "$0")/common.sh"

need_swift
need_packages libjansson-dev pkg-config python3 python3-pip strace tmux less iproute2 systemd \
  openvswitch-switch openvswitch-common ovn-common ovn-central \
  pandoc mandoc man-db zsh
# The services that the packages may have started are not ours to test against, and not to be disturbed by.
need_python ovs ovsdbapp
cd "$top"
swift build --build-tests
if [ $# -gt 0 ]; then exec swift test --skip-build "$@"; fi
# The control socket's tests have a process to themselves: logging is one for a process, and other suites turn it about.
swift test --skip-build --filter ControlTests
swift test --skip-build --skip ControlTests
# The clients of the field, in three minutes at most.
utilities/field-check.sh
# A minute of libFuzzer over all targets; the build for it takes a few more.
utilities/fuzz.sh 60
