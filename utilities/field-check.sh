#!/usr/bin/env bash
# Runs the clients of the field against our programs: Open vSwitch's and OVN's (the C library), Python's ovs and ovsdbapp.
#
#     utilities/field-check.sh                # at most three minutes: of ovsdbapp's own tests every second, the others the next day
#     utilities/field-check.sh --all          # all of ovsdbapp's tests, too
#     utilities/field-check.sh --part 1/2     # of those tests every second from the second on, to repeat a day's run
#     utilities/field-check.sh --peer         # the same with Open vSwitch's own server and tools, to compare
#     utilities/field-check.sh --release      # the release build in the place of the debug build
#
# Prints a table. Ends with 1 when a check failed that utilities/field-check/expected.txt does not name, or when a step ran no check at all.
# The programs must be built. Everything is in a directory of its own, and what was started is ended on the way out.
set -euo pipefail
. "$(dirname "$0")/common.sh"

build=debug side=ours part="$((10#$(date +%j) % 2))/2" total=165
usage() { sed -n '2,/^set /p' "$0" | sed '/^set /d; s/^# \{0,1\}//'; }
while [ $# -gt 0 ]; do
  case $1 in
    --all) part=0/1 total=1800 ;;
    --part) part=${2:?--part needs INDEX/COUNT}; shift ;;
    --peer) side=peer ;;
    --release) build=release ;;
    -h | --help) usage; exit ;;
    *) echo "$0: unknown argument '$1'; --help lists the arguments" >&2; exit 2 ;;
  esac
  shift
done
[[ $part =~ ^[0-9]+/[1-9][0-9]*$ ]] || { echo "$0: a part is INDEX/COUNT, not '$part'" >&2; exit 2; }

need_packages bsdextrautils python3 python3-pip openvswitch-switch openvswitch-common openvswitch-vtep \
  ovn-common ovn-central ovn-host ovn-ic ovn-ic-db
need_python ovs ovsdbapp oslotest testscenarios

work=$(mktemp -d /tmp/field.XXXXXX)

# Ends every process that has this run's directory in its environment: daemons leave the group and the session they came from.
end_processes() {
  local file process
  for file in /proc/[0-9]*/environ; do
    process=${file//[^0-9]/}
    if [ "$process" != $$ ] && { tr '\0' '\n' <"$file" | grep -qF "RUNDIR=$work/"; } 2>/dev/null; then
      kill -KILL "$process" 2>/dev/null || true
    fi
  done
}
# A run that failed leaves its logs.
finish() {
  local status=$?
  end_processes
  if [ $status = 0 ]; then rm -rf "$work"; else echo "logs are in $work" >&2; fi
  exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# The programs under test are first in PATH; everything else is the distribution's.
mkdir "$work/bin"
if [ $side = ours ]; then
  for program in ovsdb-server ovsdb-client ovsdb-tool ovs-appctl; do
    [ -x "$top/.build/$build/$program" ] || { echo "$0: .build/$build/$program is missing: build first" >&2; exit 1; }
    ln -s "$(readlink -f "$top/.build/$build/$program")" "$work/bin/$program"
  done
fi
export PATH="$work/bin:$PATH:/usr/sbin:/sbin" LC_ALL=C PYTHONDONTWRITEBYTECODE=1
version=$(ovsdb-server --version)
case $side in
  ours) grep -q swift-ovsdb <<<"$version" ;;
  *) ! grep -q swift-ovsdb <<<"$version" ;;
esac || { echo "$0: PATH leads to another ovsdb-server: $version" >&2; exit 1; }
export top work

# A step is a function of field-check/steps.sh, in its own shell, directory and time.
rows=() undocumented=0
expected=$top/utilities/field-check/expected.txt

is_expected() {
  awk -v side=$side -v name="$1" '($1 == side || $1 == "both") && $2 == name { found = 1 } END { exit !found }' "$expected"
}

# How many checks of the step in this directory came to that.
count() { grep -c "^$2 " "$1/outcomes" || true; }

# step CLIENT SECONDS FUNCTION WHAT: runs it and adds its row to the table.
step() {
  local client=$1 seconds=$2 function=$3 what=$4 directory=$work/$3 begin=$SECONDS
  local outcome name status=0 failed=0 known=0
  mkdir "$directory"
  # The steps together are bounded as well.
  if [ "$seconds" -gt $((total - SECONDS)) ]; then seconds=$((total > SECONDS ? total - SECONDS : 1)); fi
  ( cd "$directory" && FIELD_PART=$part OVS_RUNDIR=$directory OVS_LOGDIR=$directory OVS_DBDIR=$directory OVS_SYSCONFDIR=$directory \
    OVN_RUNDIR=$directory OVN_LOGDIR=$directory OVN_DBDIR=$directory OVN_SYSCONFDIR=$directory OVS_SYSLOG_METHOD=null TMPDIR=$directory \
    timeout --kill-after=10 "$seconds" bash "$top/utilities/field-check/steps.sh" "$function" \
    >"$directory/outcomes" 2>"$directory/log" ) &
  # A signal interrupts this wait, and no command in the foreground.
  wait $! || status=$?
  end_processes
  # A step that was cut off is a failure, whatever it had said.
  case $status in
    0) ;;
    124 | 137) echo "failed $client: not done in $seconds seconds" >>"$directory/outcomes" ;;
    *) echo "failed $client: ended with $status" >>"$directory/outcomes" ;;
  esac
  while read -r outcome name; do
    [ "$outcome" = failed ] || continue
    if is_expected "$name"; then known=$((known + 1)); continue; fi
    failed=$((failed + 1))
    echo "FAILED $name" >&2
  done <"$directory/outcomes"
  if [ $((failed + known + $(count "$directory" passed))) = 0 ]; then
    echo "FAILED $client: nothing was run; see $directory/log" >&2
    failed=1
  fi
  if [ $failed != 0 ]; then tail -n 15 "$directory/log" >&2; fi
  undocumented=$((undocumented + failed))
  rows+=("$client|$what|$(count "$directory" passed)|$failed|$known|$(count "$directory" skipped)|$((SECONDS - begin))")
}

step ovs-vsctl 30 vsctl_checks "bridges, columns, waiting, restart"
step ovs-vswitchd 60 vswitchd_checks "dummy datapath, status, restart"
step vtep-ctl 30 vtep_checks "switches, bindings, MACs"
step OVN 90 ovn_checks "nbctl, sbctl, northd, controller"
step ovn-ic 60 ic_checks "transit switch between databases"
step "Python ovs" 60 python_checks "IDL across a restart"
step ovsdbapp $total ovsdbapp_checks "its functional tests, part $part"

echo
echo "$side: $(head -n 1 <<<"$version")"
{
  echo "client|what|passed|failed|expected failures|skipped|seconds"
  printf '%s\n' "${rows[@]}"
} | column -t -s '|'
if [ $undocumented != 0 ]; then echo "$undocumented failures that are not documented" >&2; exit 1; fi
