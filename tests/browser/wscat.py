# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Standard input and output over a WebSocket (an ssh ProxyCommand): wscat.py HOST PORT PATH"""

import os
import sys
import threading

from wsclient import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, WebSocket

ws = WebSocket((sys.argv[1], int(sys.argv[2]))).open(sys.argv[3], protocols="binary")
ws.sock.settimeout(None)


def up():
    while data := os.read(0, 65536):
        ws.send_frame(BINARY, data)
    ws.send_close(1000)


threading.Thread(target=up, daemon=True).start()
while True:
    f = ws.recv_frame(3600)
    if f.opcode in (BINARY, TEXT, CONTINUATION):
        os.write(1, f.payload)
    elif f.opcode == PING:
        ws.send_frame(PONG, f.payload)
    elif f.opcode == CLOSE:
        break
