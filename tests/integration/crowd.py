# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Half of a large crowd of sessions, as a process of its own, because one process has not descriptors enough for both ends.

    crowd.py backend              listens, says its port, echoes; keeps every connection
    crowd.py clients HOST PORT N  opens N sessions, lets each say a word and hear it back, says "ready"; keeps them all

Both live until their standard input ends.
"""

import resource
import selectors
import socket
import sys
import threading

from wsclient import BINARY, WebSocket, frame


def raise_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def backend():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    print(listener.getsockname()[1], flush=True)
    sel = selectors.DefaultSelector()
    sel.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in sel.select():
            if key.fileobj is listener:
                s, _ = listener.accept()
                sel.register(s, selectors.EVENT_READ)
                continue
            try:
                data = key.fileobj.recv(65536)
                if data:
                    key.fileobj.sendall(data)
            except OSError:
                data = b""
            if not data:
                sel.unregister(key.fileobj)
                key.fileobj.close()


def clients(host, port, n):
    kept = []
    for _ in range(n):
        ws = WebSocket((host, port), timeout=30)
        ws.open(early=frame(BINARY, b"hello"))
        assert ws.recv_bytes(5) == b"hello"
        kept.append(ws)
    print("ready", flush=True)
    return kept


raise_limit()
if sys.argv[1] == "backend":
    threading.Thread(target=backend, daemon=True).start()
else:
    kept = clients(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
sys.stdin.read()
