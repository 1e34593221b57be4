#!/usr/bin/env bash
# Runs test suites under a sanitizer.
#
#   utilities/sanitize.sh thread|address [what swift test takes]
#
# Without further arguments: the suites that fit. Whole programs of others (Interop, Differential) are not instrumented and are left out.
set -euo pipefail
. "$(dirname "$0")/common.sh"

kind=${1:-}
case $kind in
  thread | address) shift ;;
  *) echo "usage: $0 thread|address [what swift test takes]" >&2; exit 2 ;;
esac
need_swift
need_packages libjansson-dev pkg-config
cd "$top"
suites='JSONTests|OVSDBTests|EngineTests|MonitoringTests|ScenarioTests|JSONRPCTests|StreamsTests|JournalTests|ControlTests|ClientTests|FuzzTests'
[ $# -gt 0 ] || set -- --filter "$suites"
# A report fails the test program, at its end; jansson and the runtime keep what they allocate once.
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=0 exitcode=66}"
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=0}"
exec swift test --scratch-path ".build/$kind" --sanitize="$kind" "$@"
