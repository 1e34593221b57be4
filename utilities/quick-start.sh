#!/usr/bin/env bash
# Builds the server and its tools, makes a database from schemas/inventory.ovsschema, serves it on a Unix socket, and shows a client
# talking to it: inserts, a query, a live monitor. Everything happens in a directory of its own, which is removed at the end.
set -euo pipefail
. "$(dirname "$0")/common.sh"

need_swift
need_packages libjansson-dev pkg-config
cd "$top"
echo "building (the first time takes a few minutes)"
for program in ovsdb-server ovsdb-client ovsdb-tool ovs-appctl; do swift build -c release --product "$program"; done
PATH="$(swift build -c release --show-bin-path):$PATH"

directory=$(mktemp -d)
export OVS_RUNDIR=$directory OVS_LOGDIR=$directory OVS_DBDIR=$directory
socket="unix:$directory/db.sock"
server=
stop() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; fi
  rm -rf "$directory"
}
trap stop EXIT

# Shows a command, then runs it.
show() {
  printf '\n$ %s\n' "$*"
  "$@"
}

show ovsdb-tool create "$directory/inventory.db" schemas/inventory.ovsschema
printf '\n$ ovsdb-server --remote=punix:%s/db.sock %s/inventory.db &\n' "$directory" "$directory"
ovsdb-server --remote="punix:$directory/db.sock" "$directory/inventory.db" -vconsole:warn &
server=$!
until [ -S "$directory/db.sock" ]; do sleep 0.05; done

show ovsdb-client list-dbs "$socket"
show ovsdb-client transact "$socket" '["Inventory",
  {"op":"insert","table":"Machine","uuid-name":"m","row":{"name":"pluto","cores":8,"state":"up","labels":["map",[["rack","7"]]]}},
  {"op":"insert","table":"Site","row":{"name":"north","machines":["named-uuid","m"]}}]'
show ovsdb-client dump "$socket" Inventory Machine name cores state labels

printf '\n$ ovsdb-client monitor %s Inventory Machine name,cores,state &   # live, while the next transaction commits\n' "$socket"
ovsdb-client monitor "$socket" Inventory Machine name,cores,state >"$directory/monitor" &
monitor=$!
until [ -s "$directory/monitor" ]; do sleep 0.05; done
show ovsdb-client transact "$socket" '["Inventory",
  {"op":"update","table":"Machine","where":[["name","==","pluto"]],"row":{"state":"down"}},
  {"op":"mutate","table":"Machine","where":[["name","==","pluto"]],"mutations":[["cores","*=",2]]}]'
until grep -q new "$directory/monitor"; do sleep 0.05; done
kill "$monitor"
wait "$monitor" 2>/dev/null || true
cat "$directory/monitor"

show ovsdb-client query "$socket" '["Inventory",{"op":"select","table":"Machine","where":[["name","==","pluto"]],"columns":["cores","state"]}]'
show ovs-appctl -t "$directory/ovsdb-server.$server.ctl" ovsdb-server/list-remotes
show ovsdb-tool show-log "$directory/inventory.db"
