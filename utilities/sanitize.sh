#!/usr/bin/env bash
# Builds everything with a sanitizer and runs the test suite. The programs that the tests start are instrumented as well, and a report of
# any of them, or of the tests themselves, fails the script.
#
#   utilities/sanitize.sh thread|address [what swift test takes]
#
# `thread` is ThreadSanitizer. `address` is AddressSanitizer and, for what is written in C, UndefinedBehaviorSanitizer; Swift checks
# arithmetic, bounds and casts by itself in every build. With arguments, such as `--filter ServerProgramTests`, only these tests run, and nothing is
# left out. Reports stay in .build/KIND/reports.
set -euo pipefail
. "$(dirname "$0")/common.sh"

kind=${1:-}
case $kind in
  thread) flags=(--sanitize=thread) ;;
  # Not --sanitize=undefined, which the compiler of Swift refuses on Linux. AddressSanitizer's library has what the C code calls then; the
  # two checks left out are of C++ and need another one.
  address) flags=(--sanitize=address -Xcc -fsanitize=undefined -Xcc -fno-sanitize=vptr,function) ;;
  *) echo "usage: $0 thread|address [what swift test takes]" >&2; exit 2 ;;
esac
shift
need_swift
need_packages libjansson-dev pkg-config
cd "$top"
scratch=.build/$kind

# Tests that cannot hold under a sanitizer, each with its reason.
left_out=(
  # Figures of memory: a sanitizer keeps freed memory and shadows what is used.
  ControlSocketTests/aMessageWithoutEndIsCutOff
  ControlSocketTests/aClientThatDoesNotReadCostsLittle
  HostileConnectionTests/connectionsThatComeAndGoLeaveNothing
  HostileSourceTests/aSourceThatTalksWithoutEndLeavesTimeForClients
  # The same, and limits of address space, of which a sanitizer sets terabytes aside.
  BoundedMemoryTests
)

# A daemon is not forked by a thread of its own under ThreadSanitizer (process.c), which is what this test is about.
if [ "$kind" = thread ]; then left_out+=(DaemonizerTests/threadsOfADetachedProgramShareLocks); fi

reports=$top/$scratch/reports
rm -rf "$reports"
mkdir -p "$reports"
# Programs of the tests may run as other users.
chmod 1777 "$reports"
case $kind in
  thread)
    export TSAN_OPTIONS="log_path=$reports/thread halt_on_error=0 exitcode=66"
    # See there.
    "$(dirname "$(command -v swift)")/clang" -O1 -shared -fPIC -o "$scratch/mutex.so" utilities/sanitize/mutex.c
    preloaded=$top/$scratch/mutex.so
    ;;
  address)
    # Enums of Swift keep marks in unused bits of their pointers, so that what a program still holds at its end would count as leaked.
    # Leaks are looked for where nothing is held: libFuzzer does so after inputs (fuzz.sh).
    export ASAN_OPTIONS="log_path=$reports/address detect_leaks=0"
    export UBSAN_OPTIONS="log_path=$reports/undefined print_stacktrace=1"
    preloaded=
    ;;
esac

swift build --build-tests --scratch-path "$scratch" "${flags[@]}"
status=0
run() { env ${preloaded:+LD_PRELOAD="$preloaded"} swift test --skip-build --scratch-path "$scratch" "${flags[@]}" "$@" || status=1; }
if [ $# -gt 0 ]; then
  run "$@"
else
  skips=()
  for test in "${left_out[@]}"; do skips+=(--skip "$test"); done
  # As in run-tests.sh.
  run --filter ControlTests "${skips[@]}"
  run --skip ControlTests "${skips[@]}"
fi

shopt -s nullglob
found=("$reports"/*)
if [ ${#found[@]} -gt 0 ]; then
  echo "${#found[@]} processes were reported by the sanitizer, in $reports:" >&2
  grep -hE '^(WARNING|SUMMARY|==[0-9]+==ERROR)|runtime error' "${found[@]}" | sed 's/ (pid=[0-9]*)//; s/^==[0-9]*==//' | sort | uniq -c >&2
  status=1
fi
exit $status
