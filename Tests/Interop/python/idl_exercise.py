# SPDX-License-Identifier: Apache-2.0
"""Uses a database server through the Python IDL of Open vSwitch and prints what it sees.

Usage: idl_exercise.py REMOTE SCHEMA DIRECTORY

Half way it writes DIRECTORY/half and waits for DIRECTORY/go: meanwhile the server is restarted. Nothing that it prints
depends on UUIDs or on time.
"""

import os
import sys
import time

import ovs.db.idl
import ovs.poller

TABLES = {
    "Open_vSwitch": ["bridges", "external_ids", "next_cfg", "other_config"],
    "Bridge": ["name", "ports", "external_ids", "stp_enable", "fail_mode", "protocols"],
    "Port": ["name", "interfaces", "tag", "trunks", "qos"],
    "Interface": ["name", "type", "options", "mtu_request"],
    "QoS": ["type", "queues", "other_config"],
    "Queue": ["dscp", "other_config"],
}
DEADLINE = time.time() + 90


def wait_until(idl, what, condition):
    while not condition():
        if time.time() > DEADLINE:
            raise SystemExit("waited in vain for " + what)
        idl.run()
        if condition():
            return
        poller = ovs.poller.Poller()
        idl.wait(poller)
        poller.timer_wait(1000)
        poller.block()


def commit(idl, label, change):
    while True:
        txn = ovs.db.idl.Transaction(idl)
        result = change(txn)
        status = txn.commit_block()
        if status != ovs.db.idl.Transaction.TRY_AGAIN:
            break
        seqno = idl.change_seqno
        wait_until(idl, "news to try again with", lambda: idl.change_seqno != seqno)
    print("%s: %s" % (label, status))
    return result


def by_name(idl, table, name):
    for row in idl.tables[table].rows.values():
        if row.name == name:
            return row
    raise SystemExit("no %s %s" % (table, name))


def show(idl, label):
    print("-- " + label)
    for row in sorted(idl.tables["Bridge"].rows.values(), key=lambda row: row.name):
        print("bridge", row.name, row.stp_enable, row.fail_mode, sorted(row.external_ids.items()), sorted(row.protocols))
    for row in sorted(idl.tables["Port"].rows.values(), key=lambda row: row.name):
        qos = [sorted(q.queues) for q in row.qos]
        print("port", row.name, row.tag, sorted(row.trunks), [i.name for i in row.interfaces], qos)
    for row in sorted(idl.tables["Interface"].rows.values(), key=lambda row: row.name):
        print("interface", row.name, repr(row.type), sorted(row.options.items()), row.mtu_request)
    for row in idl.tables["Open_vSwitch"].rows.values():
        print("root", [b.name for b in sorted(row.bridges, key=lambda b: b.name)], sorted(row.external_ids.items()))


def root(idl):
    return next(iter(idl.tables["Open_vSwitch"].rows.values()))


def add_bridge(idl, txn, name, ports):
    bridge = txn.insert(idl.tables["Bridge"])
    bridge.name = name
    rows = []
    for port_name in ports:
        interface = txn.insert(idl.tables["Interface"])
        interface.name = port_name
        interface.type = "internal"
        port = txn.insert(idl.tables["Port"])
        port.name = port_name
        port.interfaces = [interface]
        rows.append(port)
    bridge.ports = rows
    root(idl).verify("bridges")
    root(idl).bridges = list(root(idl).bridges) + [bridge]
    return bridge


class Watcher(ovs.db.idl.Idl):
    """Counts the changes that the server reports."""

    def __init__(self, remote, helper):
        self.seen = {}
        super().__init__(remote, helper)

    def notify(self, event, row, updates=None):
        key = (event, row._table.name)
        self.seen[key] = self.seen.get(key, 0) + 1


def main(remote, schema, directory):
    helper = ovs.db.idl.SchemaHelper(schema)
    for table, columns in TABLES.items():
        helper.register_columns(table, columns)
    idl = Watcher(remote, helper)
    wait_until(idl, "the first contents", idl.has_ever_connected)

    commit(idl, "root", lambda txn: txn.insert(idl.tables["Open_vSwitch"]))
    new = commit(idl, "bridge", lambda txn: (txn, add_bridge(idl, txn, "br0", ["a", "b", "c"])))
    print("real uuid:", new[0].get_insert_uuid(new[1].uuid) in idl.tables["Bridge"].rows)
    commit(idl, "bridges", lambda txn: [add_bridge(idl, txn, "br%d" % i, ["p%d" % i]) for i in (1, 2)])
    show(idl, "after inserts")

    def change(txn):
        bridge = by_name(idl, "Bridge", "br0")
        bridge.stp_enable = True
        bridge.fail_mode = "secure"
        bridge.setkey("external_ids", "k", "v")
        bridge.setkey("external_ids", "\u00e9", "e\u0301")
        bridge.addvalue("protocols", "OpenFlow13")
        by_name(idl, "Port", "a").tag = 7
        by_name(idl, "Port", "b").trunks = [3, 1, 2]
        by_name(idl, "Interface", "c").options = {"x": "1", "y": "2"}
        queue = txn.insert(idl.tables["Queue"])
        queue.dscp = 12
        qos = txn.insert(idl.tables["QoS"])
        qos.type = "linux-htb"
        qos.queues = {0: queue, 5: queue}
        by_name(idl, "Port", "c").qos = qos

    commit(idl, "change", change)
    show(idl, "after changes")

    def mutate(txn):
        bridge = by_name(idl, "Bridge", "br0")
        bridge.delkey("external_ids", "k")
        bridge.setkey("external_ids", "n", "1")
        bridge.delvalue("protocols", "OpenFlow13")
        root(idl).increment("next_cfg")
        by_name(idl, "Port", "b").delvalue("trunks", 2)

    commit(idl, "mutate", mutate)
    commit(idl, "nothing", lambda txn: None)
    commit(idl, "same", lambda txn: setattr(by_name(idl, "Bridge", "br0"), "stp_enable", True))
    commit(idl, "duplicate name", lambda txn: add_bridge(idl, txn, "br1", ["z"]))
    commit(idl, "range", lambda txn: setattr(by_name(idl, "Interface", "a"), "mtu_request", 3))

    def stale(txn):
        port = by_name(idl, "Port", "a")
        port.verify("tag")
        port.tag = 8
        txn.add_comment("stale")

    commit(idl, "verify", stale)
    show(idl, "after mutations")

    idl.cond_change("Bridge", [["name", "==", "br1"], ["name", "==", "br2"]])
    wait_until(idl, "fewer bridges", lambda: len(idl.tables["Bridge"].rows) == 2)
    show(idl, "two bridges seen")
    idl.cond_change("Bridge", [["stp_enable", "==", True]])
    wait_until(idl, "other bridges", lambda: [b.name for b in idl.tables["Bridge"].rows.values()] == ["br0"])
    idl.cond_change("Bridge", [True])
    wait_until(idl, "all bridges", lambda: len(idl.tables["Bridge"].rows) == 3)

    idl.set_lock("exercise")
    wait_until(idl, "the lock", lambda: idl.has_lock)
    commit(idl, "with lock", lambda txn: root(idl).setkey("external_ids", "locked", "yes"))

    open(os.path.join(directory, "half"), "w").close()
    seqno = idl.change_seqno
    wait_until(idl, "the restart", lambda: os.path.exists(os.path.join(directory, "go")))
    wait_until(idl, "the connection", lambda: idl.change_seqno != seqno and len(idl.tables["Bridge"].rows) == 3)
    wait_until(idl, "the lock again", lambda: idl.has_lock)
    show(idl, "after the restart")
    commit(idl, "delete", lambda txn: setattr(root(idl), "bridges", [b for b in root(idl).bridges if b.name != "br0"]))
    show(idl, "at the end")
    print("seen:", sorted(key for key in idl.seen))
    idl.close()


main(*sys.argv[1:])
