# SPDX-License-Identifier: Apache-2.0
"""Uses a northbound database of OVN through ovsdbapp, as OpenStack does, and prints what it sees.

Usage: ovsdbapp_exercise.py REMOTE

Nothing that it prints depends on UUIDs or on time.
"""

import sys

from ovsdbapp.backend.ovs_idl import connection
from ovsdbapp.backend.ovs_idl import event
from ovsdbapp.schema.ovn_northbound import impl_idl


class SwitchCreated(event.WaitEvent):
    event_name = "SwitchCreated"

    def __init__(self):
        super().__init__((self.ROW_CREATE,), "Logical_Switch", (("name", "=", "sw-event"),), timeout=30)


class WatchedIdl(connection.OvsdbIdl):
    """The IDL with a handler of events, as OpenStack's agents have it."""

    def __init__(self, *args, **kwargs):
        self.notify_handler = event.RowEventHandler()
        super().__init__(*args, **kwargs)

    def notify(self, event_, row, updates=None):
        self.notify_handler.notify(event_, row, updates)


def shown(value):
    """A result without its UUIDs."""
    if isinstance(value, list):
        return sorted((shown(element) for element in value), key=repr)
    if isinstance(value, dict):
        return {key: shown(element) for key, element in sorted(value.items(), key=repr)}
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    return getattr(value, "name", "row")


def attempt(label, command):
    try:
        print(label, "->", repr(shown(command.execute(check_error=True))))
    except Exception as error:  # What a failed command raises is part of what is compared.
        print(label, "failed:", type(error).__name__)


def build(api):
    attempt("ls_add", api.ls_add("sw0"))
    attempt("ls_add again", api.ls_add("sw0", may_exist=True))
    attempt("ls_add twice", api.ls_add("sw0"))
    with api.transaction(check_error=True) as txn:
        for i in range(1, 31):
            txn.add(api.lsp_add("sw0", "port%d" % i))
            txn.add(api.lsp_set_addresses("port%d" % i, ["0a:00:00:00:00:%02x 10.0.0.%d" % (i, i)]))
            txn.add(api.db_set("Logical_Switch_Port", "port%d" % i, ("external_ids", {"n": str(i)})))
    attempt("lsp_list", api.lsp_list("sw0"))
    attempt("lsp_add nowhere", api.lsp_add("nosuch", "x"))
    attempt("lsp_get_addresses", api.lsp_get_addresses("port3"))
    attempt("lr_add", api.lr_add("lr0"))
    attempt("lrp_add", api.lrp_add("lr0", "lrp0", "0a:00:00:00:01:01", ["10.0.0.254/24"]))
    attempt("lr_route_add", api.lr_route_add("lr0", "0.0.0.0/0", "10.0.0.253"))
    attempt("lb_add", api.lb_add("lb0", "10.1.1.1:80", ["10.0.0.1:80", "10.0.0.2:80"], protocol="tcp"))
    attempt("ls_lb_add", api.ls_lb_add("sw0", "lb0"))
    attempt("acl_add", api.acl_add("sw0", "to-lport", 1000, "ip4", "drop"))
    attempt("pg_add", api.pg_add("pg0"))


def query(api):
    attempt("db_get", api.db_get("Logical_Switch_Port", "port3", "external_ids"))
    attempt("db_find", api.db_find("Logical_Switch_Port", ("external_ids", "=", {"n": "7"}), columns=["name"]))
    attempt("db_add", api.db_add("Address_Set", "nosuch", "addresses", "10.0.0.1"))
    attempt("db_create", api.db_create("Address_Set", name="as0", addresses=["10.0.0.1", "10.0.0.2"]))
    attempt("db_create twice", api.db_create("Address_Set", name="as0"))
    attempt("db_add", api.db_add("Address_Set", "as0", "addresses", "10.0.0.3"))
    attempt("db_remove", api.db_remove("Address_Set", "as0", "addresses", "10.0.0.1"))
    attempt("db_get", api.db_get("Address_Set", "as0", "addresses"))
    attempt("db_clear", api.db_clear("Address_Set", "as0", "addresses"))
    attempt("db_list", api.db_list("Address_Set", columns=["name", "addresses"]))
    attempt("bad tag", api.db_set("Logical_Switch_Port", "port1", ("tag", 9999)))
    attempt("bad type", api.db_set("Logical_Switch_Port", "port1", ("tag", "x")))
    attempt("no column", api.db_set("Logical_Switch_Port", "port1", ("nosuch", 1)))


def main(remote):
    idl = WatchedIdl.from_server(remote, "OVN_Northbound")
    api = impl_idl.OvnNbApiIdlImpl(connection.Connection(idl=idl, timeout=60))
    waiting = SwitchCreated()
    idl.notify_handler.watch_event(waiting)
    build(api)
    query(api)
    attempt("lsp_del", api.lsp_del("port4"))
    attempt("lsp_del again", api.lsp_del("port4"))
    attempt("ls_add event", api.ls_add("sw-event"))
    print("event:", waiting.wait())
    attempt("ls_list", api.ls_list())
    attempt("ls_del", api.ls_del("sw0"))
    attempt("ls_list", api.ls_list())
    print("ports:", len(api.tables["Logical_Switch_Port"].rows), "rules:", len(api.tables["ACL"].rows))
    api.ovsdb_connection.stop()


main(*sys.argv[1:])
