# The steps of utilities/field-check.sh. Run with the name of one, in its directory, which the variables OVS_RUNDIR and so on name.
# Each check prints `passed NAME` or `failed NAME`; what the programs say goes to standard error, which is the step's log.
set -euo pipefail
exec 3>&1 1>&2

# check NAME COMMAND...: the command succeeds.
check() {
  local name=$1
  shift
  if "$@"; then echo "passed $name" >&3; else echo "failed $name" >&3; fi
}

# says NAME TEXT COMMAND...: the command succeeds and prints this text and nothing else.
says() {
  local name=$1 wanted=$2 found
  shift 2
  if found=$("$@") && [ "$found" = "$wanted" ]; then echo "passed $name" >&3; return; fi
  echo "$name: wanted '$wanted', found '${found:-}'"
  echo "failed $name" >&3
}

# refuses NAME COMMAND...: the command fails.
refuses() {
  local name=$1
  shift
  if "$@"; then echo "failed $name" >&3; else echo "passed $name" >&3; fi
}

# eventually NAME TEXT COMMAND...: within 20 seconds the command prints something with this text.
eventually() {
  local name=$1 wanted=$2 end=$((SECONDS + 20)) found
  shift 2
  while [ $SECONDS -lt $end ]; do
    found=$("$@" || true)
    case $found in *"$wanted"*) echo "passed $name" >&3; return ;; esac
    sleep 0.2
  done
  echo "$name: wanted '$wanted' in '${found:-}'"
  echo "failed $name" >&3
}

# serve NAME SCHEMA: a new database, and a server for it at NAME.sock.
serve() {
  ovsdb-tool create "$1.db" "$2"
  resume "$1"
}

resume() {
  ovsdb-server --detach --no-chdir --pidfile="$PWD/$1.pid" --unixctl="$PWD/$1.ctl" --log-file="$PWD/$1.log" -vconsole:off \
    --remote="punix:$PWD/$1.sock" "$1.db"
}

# As ovs-appctl: ours, or the distribution's.
stop() { ovs-appctl -t "$PWD/$1.ctl" exit; while [ -e "$1.pid" ]; do sleep 0.1; done; }

vsctl_checks() {
  serve db /usr/share/openvswitch/vswitch.ovsschema
  vsctl() { ovs-vsctl --timeout=15 --no-wait --db="unix:$PWD/db.sock" "$@"; }
  check vsctl.init vsctl init
  check vsctl.add-br vsctl add-br br0 -- add-port br0 p0 -- set interface p0 type=internal external_ids:a=b
  check vsctl.add-br.vlan vsctl add-br br0.7 br0 7
  says vsctl.list-br $'br0\nbr0.7' vsctl list-br
  says vsctl.list-ports p0 vsctl list-ports br0
  says vsctl.br-to-vlan 7 vsctl br-to-vlan br0.7
  says vsctl.get b vsctl get interface p0 external_ids:a
  says vsctl.find p0 vsctl --bare --columns=name find interface external_ids:a=b
  refuses vsctl.add-br.again vsctl add-br br0
  check vsctl.may-exist vsctl --may-exist add-br br0
  refuses vsctl.constraint vsctl set bridge br0 fail_mode=never
  check vsctl.bond vsctl add-bond br0 bond0 e0 e1 lacp=active
  says vsctl.bond.interfaces $'e0\ne1\np0' vsctl list-ifaces br0
  check vsctl.create vsctl -- --id=@m create mirror name=m -- set bridge br0 mirrors=@m
  check vsctl.clear vsctl clear bridge br0 mirrors
  says vsctl.collected "" vsctl --bare --columns=name list mirror
  check vsctl.set-manager vsctl set-manager ptcp:0:127.0.0.1 -- set-ssl /a /b /c
  says vsctl.get-manager ptcp:0:127.0.0.1 vsctl get-manager
  vsctl wait-until interface p0 external_ids:a=c & local waiter=$!
  check vsctl.set vsctl set interface p0 external_ids:a=c
  check vsctl.wait-until wait $waiter
  stop db
  resume db
  says vsctl.restart $'bond0\np0' vsctl list-ports br0
  check vsctl.show vsctl show
  check vsctl.emer-reset vsctl emer-reset
  check vsctl.del-br vsctl del-br br0
  says vsctl.empty "" vsctl --bare --columns=name list interface
}

# start_switch: ovs-vswitchd without a kernel module, on db.sock.
start_switch() {
  ovs-vswitchd --detach --no-chdir --pidfile="$PWD/vswitchd.pid" --unixctl="$PWD/vswitchd.ctl" --log-file="$PWD/vswitchd.log" \
    -vconsole:off --enable-dummy=override --disable-system "unix:$PWD/db.sock"
}

vswitchd_checks() {
  serve db /usr/share/openvswitch/vswitch.ovsschema
  # Without --no-wait ovs-vsctl returns when the switch has taken the configuration over.
  vsctl() { ovs-vsctl --timeout=30 --db="unix:$PWD/db.sock" "$@"; }
  vsctl --no-wait init -- set Open_vSwitch . other_config:stats-update-interval=1000
  start_switch
  check vswitchd.add-br vsctl add-br br0 -- set bridge br0 datapath_type=dummy
  check vswitchd.add-port vsctl add-port br0 p1 -- set interface p1 type=dummy ofport_request=5
  says vswitchd.ofport 5 vsctl get interface p1 ofport
  eventually vswitchd.statistics rx_packets vsctl get interface p1 statistics
  eventually vswitchd.datapath-id '"' vsctl get bridge br0 datapath_id
  stop db
  resume db
  check vswitchd.restart vsctl add-port br0 p2 -- set interface p2 type=dummy
  eventually vswitchd.appctl p2 ovs-appctl -t "$PWD/vswitchd.ctl" dpif/show
  check vswitchd.del-br vsctl del-br br0
  refuses vswitchd.errors grep -F '|ERR|' vswitchd.log
  check vswitchd.exit ovs-appctl -t "$PWD/vswitchd.ctl" exit
}

vtep_checks() {
  serve db /usr/share/openvswitch/vtep.ovsschema
  vtep() { vtep-ctl --timeout=15 --db="unix:$PWD/db.sock" "$@"; }
  check vtep.add-ps vtep add-ps ps0 -- set physical_switch ps0 tunnel_ips=10.0.0.1
  check vtep.add-port vtep add-port ps0 p0
  check vtep.add-ls vtep add-ls ls0 -- set logical_switch ls0 tunnel_key=5000
  check vtep.bind vtep bind-ls ps0 p0 7 ls0
  says vtep.bindings '0007 ls0' vtep list-bindings ps0 p0
  check vtep.ucast vtep add-ucast-remote ls0 00:11:22:33:44:55 10.0.0.2
  check vtep.mcast vtep add-mcast-local ls0 unknown-dst 10.0.0.1
  eventually vtep.macs 00:11:22:33:44:55 vtep list-remote-macs ls0
  check vtep.manager vtep set-manager tcp:127.0.0.1:6640
  check vtep.unbind vtep unbind-ls ps0 p0 7
  refuses vtep.del-ls.used vtep del-ls ls0
  check vtep.clear-macs vtep clear-remote-macs ls0 -- clear-local-macs ls0
  check vtep.del-ls vtep del-ls ls0
  check vtep.del-ps vtep del-ps ps0
  says vtep.empty "" vtep --bare --columns=name list physical_port
}

# start_northd: translates nb.sock to sb.sock.
start_northd() {
  ovn-northd --detach --no-chdir --pidfile="$PWD/northd.pid" --unixctl="$PWD/northd.ctl" --log-file="$PWD/northd.log" -vconsole:off \
    --ovnnb-db="unix:$PWD/nb.sock" --ovnsb-db="unix:$PWD/sb.sock"
}
nbctl() { ovn-nbctl --timeout=30 --db="unix:$PWD/nb.sock" "$@"; }
sbctl() { ovn-sbctl --timeout=30 --db="unix:$PWD/sb.sock" "$@"; }

ovn_checks() {
  serve nb /usr/share/ovn/ovn-nb.ovsschema
  serve sb /usr/share/ovn/ovn-sb.ovsschema
  serve db /usr/share/openvswitch/vswitch.ovsschema
  start_northd
  vsctl() { ovs-vsctl --timeout=30 --db="unix:$PWD/db.sock" "$@"; }
  vsctl --no-wait init
  start_switch
  check ovn.chassis vsctl set Open_vSwitch . external_ids:system-id=hv0 external_ids:hostname=hv0 external_ids:ovn-encap-type=geneve \
    external_ids:ovn-encap-ip=127.0.0.1 "external_ids:ovn-remote=unix:$PWD/sb.sock"
  ovn-controller --detach --no-chdir --pidfile="$PWD/controller.pid" --log-file="$PWD/controller.log" \
    -vconsole:off "unix:$PWD/db.sock"
  check ovn.switch nbctl --wait=sb ls-add ls0 -- lsp-add ls0 p0 -- lsp-set-addresses p0 "0a:00:00:00:00:01 10.0.0.1"
  check ovn.router nbctl --wait=sb lr-add lr0 -- lrp-add lr0 lr0-ls0 0a:00:00:00:00:fe 10.0.0.254/24
  check ovn.acl nbctl --wait=sb acl-add ls0 to-lport 100 'ip4 && tcp' allow-related
  check ovn.load-balancer nbctl --wait=sb lb-add lb0 172.16.0.1:80 10.0.0.1:80 -- ls-lb-add ls0 lb0
  eventually ovn.flows 10.0.0.1 sbctl lflow-list ls0
  says ovn.binding p0 sbctl --bare --columns=logical_port find port_binding logical_port=p0
  eventually ovn.controller.registers hv0 sbctl --bare --columns=name list chassis
  check ovn.interface vsctl --no-wait add-port br-int p0 -- set interface p0 type=dummy external_ids:iface-id=p0
  check ovn.controller.bound sbctl wait-until port_binding p0 up=true
  check ovn.controller.sync nbctl --wait=hv sync
  eventually ovn.port-up up nbctl lsp-get-up p0
  stop sb
  resume sb
  check ovn.restart nbctl --wait=hv lsp-add ls0 p1
  check ovn.remove nbctl --wait=hv ls-del ls0 -- lr-del lr0 -- lb-del lb0
  says ovn.empty "" sbctl --bare --columns=logical_port list port_binding
}

ic_checks() {
  serve nb /usr/share/ovn/ovn-nb.ovsschema
  serve sb /usr/share/ovn/ovn-sb.ovsschema
  serve icnb /usr/share/ovn/ovn-ic-nb.ovsschema
  serve icsb /usr/share/ovn/ovn-ic-sb.ovsschema
  start_northd
  icnb() { ovn-ic-nbctl --timeout=30 --db="unix:$PWD/icnb.sock" "$@"; }
  icsb() { ovn-ic-sbctl --timeout=30 --db="unix:$PWD/icsb.sock" "$@"; }
  check ic.init icnb init
  check ic.zone nbctl set NB_Global . name=az1
  ovn-ic --detach --no-chdir --pidfile="$PWD/ic.pid" --unixctl="$PWD/ic.ctl" --log-file="$PWD/ic.log" -vconsole:off \
    --ovnnb-db="unix:$PWD/nb.sock" --ovnsb-db="unix:$PWD/sb.sock" --ic-nb-db="unix:$PWD/icnb.sock" --ic-sb-db="unix:$PWD/icsb.sock"
  eventually ic.registers az1 icsb --bare --columns=name list availability_zone
  check ic.transit icnb ts-add ts0
  eventually ic.transit.created ts0 nbctl ls-list
  check ic.transit.removed icnb ts-del ts0
  check ic.transit.gone nbctl wait-until NB_Global . name=az1
}

# The script of the tests; it creates `half` in the middle and goes on when there is `go`.
python_checks() {
  local schema=/usr/share/openvswitch/vswitch.ovsschema scripts=$top/Tests/Interop/python
  serve db "$schema"
  python3 "$scripts/idl_exercise.py" "unix:$PWD/db.sock" "$schema" "$PWD" >idl.out & local client=$!
  while [ ! -e half ] && kill -0 "$client"; do sleep 0.1; done
  stop db
  resume db
  touch go
  check python.idl wait "$client"
  check python.idl.rows grep -F "bridge br0 True ['secure']" idl.out
  check python.idl.constraint grep -F "duplicate name: error" idl.out
}

ovsdbapp_checks() { python3 "$top/utilities/field-check/ovsdbapp_tests.py" --jobs 2 --part "$FIELD_PART" >&3; }

"$1"
