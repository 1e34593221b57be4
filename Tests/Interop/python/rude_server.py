# SPDX-License-Identifier: Apache-2.0
#
# A server that answers as no server should. usage: rude_server.py SOCKET CASE
#
# A case names the method that is answered badly, and how: every other method gets a good answer. Prints "ready" when it listens.

import json
import socket
import sys

SCHEMA = {"name": "T", "version": "1.0.0", "cksum": "1 2", "tables": {"x": {"columns": {"k": {"type": "integer"}}}}}
GOOD = {"list_dbs": ["T", "_Server"], "get_schema": SCHEMA, "set_db_change_aware": {}, "transact": [], "monitor": {},
        "monitor_cond": {}, "monitor_cond_since": [False, "00000000-0000-0000-0000-000000000000", {}], "lock": {"locked": True}}


def reply(result):
    return lambda message: (b'{"id":%s,"error":null,"result":%s}' % (json.dumps(message["id"]).encode(), result), False)


def raw(text, closes=True):
    return lambda message: (text, closes)


DEEP = b"[" * 100000 + b"]" * 100000
ANSWERS = {
    "garbage": raw(b"\x00\xffgarbage", False),
    "close": raw(b""),
    "cut": raw(b'{"id":2,"error":null,"result":[{"rows":[{"_uuid":["uu'),
    "number": reply(b"5"),
    "empty": reply(b"[]"),
    "object": reply(b"{}"),
    "mixed": reply(b'[1,null,"a"]'),
    "badname": reply(b'{"name":"T","tables":{"a b":{}}}'),
    "norows": reply(b"[{}]"),
    "rows5": reply(b'[{"rows":5}]'),
    "row5": reply(b'[{"rows":[5]}]'),
    "rowlacks": reply(b'[{"rows":[{"k":1}]}]'),
    "rowtype": reply(b'[{"rows":[{"_uuid":["uuid","x"],"k":"a"}]}]'),
    "rowcommas": reply(b'[{"rows":[{}{}]}]'),
    "rownotjson": reply(b'[{"rows":[{nonsense}]}]'),
    "many": reply(b'[{"rows":[]},{"rows":[]},{"rows":[]}]'),
    "deep": reply(DEEP),
    "deeprow": reply(b'[{"rows":[{"_uuid":' + DEEP + b"}]}]"),
    "updates": reply(b'{"x":{"u":5,"v":{"new":5},"w":{"new":{"k":"z"}}}}'),
    "updates2": reply(b'{"x":{"u":{"initial":null},"v":7,"w":{"modify":{"k":"z"}}}}'),
    "three": reply(b"[1,2,3]"),
}


def serve(connection, method, answer):
    data = b""
    decoder = json.JSONDecoder()
    while True:
        piece = connection.recv(65536)
        if not piece:
            return
        data += piece
        while data:
            try:
                message, end = decoder.raw_decode(data.decode())
            except ValueError:
                break
            data = data[end:].lstrip()
            if message.get("method") == method:
                text, closes = ANSWERS[answer](message)
                connection.sendall(text)
                if closes:
                    connection.close()
                    return
            else:
                connection.sendall(reply(json.dumps(GOOD.get(message.get("method"))).encode())(message)[0])


def main():
    path, case = sys.argv[1:]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(5)
    print("ready", flush=True)
    method, answer = case.split(":")
    while True:
        connection, _ = listener.accept()
        try:
            serve(connection, method, answer)
        except OSError:
            pass


main()
