#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A caller at an HSM's port that should not be let in: rogue.py HOST:PORT CA CERT KEY peer|client [NUMBER]

peer: says the hello of a node (cluster/peer_hello.h), asks at once for its vote in term ROGUE_TERM, and prints the
verdict that comes back; client: waits for the end of the connection. Prints `refused: why`, `verdict N`, or `open`."""
import socket
import ssl
import struct
import sys

ROGUE_TERM = 1 << 40
REQUEST_VOTE, VERSION, DISRUPT_LEADER = 3, 2, 1  # libraft's src/uv_encoding.c

address, ca, cert, key, kind = sys.argv[1:6]
number = int(sys.argv[6]) if len(sys.argv) > 6 else 2
host, port = address.rsplit(":", 1)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE  # it is the server that is tried
context.minimum_version = ssl.TLSVersion.TLSv1_3
context.load_cert_chain(cert, key)
try:
    with socket.create_connection((host, int(port)), 3) as plain:
        plain.settimeout(1)
        with context.wrap_socket(plain) as tls:
            if kind == "peer":
                name = b"127.0.0.1:1\0" + b"\0" * 4
                vote = struct.pack("<QQQQQ", ROGUE_TERM, number, ROGUE_TERM, ROGUE_TERM, DISRUPT_LEADER)
                tls.sendall(b"QSMPEER1" + struct.pack("<QQ", number, len(name)) + name)
                tls.sendall(struct.pack("<BBBxxxxxQ", REQUEST_VOTE, 0, VERSION, len(vote)) + vote)
            answer = tls.recv(8)
            if kind == "peer" and len(answer) == 8 and answer[:4] == b"QCK1":
                print("verdict", struct.unpack("<I", answer[4:])[0])
            else:
                print("refused: closed" if not answer else "open")
except TimeoutError:
    print("open")
except (ssl.SSLError, ConnectionError) as error:
    print("refused:", error)
