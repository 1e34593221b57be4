#!/usr/bin/env bash
# Fuzzes what reads the bytes of strangers with libFuzzer and AddressSanitizer: every target of Fuzz/Targets in turn, SECONDS in all
# (90 without argument), beginning with the corpus in Fuzz/Corpora. What is found is put into Fuzz/Findings, and the script fails.
#
#   utilities/fuzz.sh [SECONDS] [TARGET...]
#
# Inputs that reach new code are kept in .build/fuzz-corpora, so that a second run goes on where the first ended.
set -euo pipefail
. "$(dirname "$0")/common.sh"

need_swift
need_packages libjansson-dev pkg-config
cd "$top"
resources=$(swiftc -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
compgen -G "$resources/clang/lib/linux/libclang_rt.fuzzer-*.a" >/dev/null ||
  { echo "this Swift toolchain comes without libFuzzer: $resources/clang/lib/linux/libclang_rt.fuzzer-*.a" >&2; exit 1; }
seconds=${1:-90}
[ $# -gt 0 ] && shift
targets=("$@")
[ ${#targets[@]} = 0 ] && for corpus in Fuzz/Corpora/*/; do targets+=("$(basename "$corpus")"); done

export OVSDB_FUZZ=1
# Swift's own handler of signals would keep libFuzzer from saving the input.
export SWIFT_BACKTRACE=enable=no
# Of two sanitizers the compiler of Swift minds the last alone; what reports to libFuzzer how far an input comes is asked for by name.
build=(swift build --scratch-path .build/fuzz --sanitize=fuzzer --sanitize=address
  -Xswiftc -sanitize-coverage=edge,trace-cmp,inline-8bit-counters,pc-table --product ovsdb-fuzz)
"${build[@]}" 2>&1 | { grep -v -e 'Cannot export local symbol' -e '^\[[0-9/]*\] ' || true; }
program=$("${build[@]}" --show-bin-path)/ovsdb-fuzz

mkdir -p Fuzz/Findings
status=0
total=0
for target in "${targets[@]}"; do
  grown=.build/fuzz-corpora/$target
  mkdir -p "$grown"
  log=.build/fuzz-corpora/$target.log
  OVSDB_FUZZ_TARGET=$target OVSDB_FUZZ_WORDS=1 "$program" >".build/fuzz-corpora/$target.words"
  # An input that takes ten seconds counts as a hang, one that takes two gigabytes as growth without bound. What the code under test says
  # while it runs goes nowhere; an input that ends it is run again to hear its last words.
  OVSDB_FUZZ_TARGET=$target "$program" -max_total_time=$((seconds / ${#targets[@]} + 1)) -max_len=16384 -timeout=10 \
    -rss_limit_mb=2048 -close_fd_mask=3 -dict=".build/fuzz-corpora/$target.words" -print_final_stats=1 -artifact_prefix="Fuzz/Findings/$target-" "$grown" \
    "Fuzz/Corpora/$target" >"$log" 2>&1 || {
    status=1
    tail -40 "$log"
    finding=$(sed -n "s/.*Test unit written to //p" "$log" | tail -1)
    [ -z "$finding" ] || OVSDB_FUZZ_TARGET=$target timeout 60 "$program" "$finding" 2>&1 | head -40
  }
  # Without it a run is blind, however many executions it makes.
  grep -q ' cov: ' "$log" || { status=1; echo "$target: libFuzzer is not told how far an input comes" >&2; }
  executions=$(sed -n 's/stat::number_of_executed_units: *//p' "$log")
  total=$((total + ${executions:-0}))
  echo "$target: ${executions:-no} executions, $(find "$grown" -type f | wc -l) inputs that reach something new, log in $log"
done
echo "$total executions of ${#targets[@]} targets"
rmdir Fuzz/Findings 2>/dev/null || true
exit $status
