#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests that botocore signed, for sigv4_test.c, a line a field:
R METHOD PATH?QUERY, H NAME: VALUE, B BODY-IN-HEX, S SECRET, E (end of the request).
Ends with 77 where there is no botocore.
"""
import random
import sys

try:
    from botocore.auth import SigV4Auth, SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
except ImportError:
    sys.exit(77)
from urllib.parse import urlsplit

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 300
PATHS = ("/", "/a/b", "//x//y/", "/a/../b/./c", "/kms/xks/v1/keys/k-1_2.3/encrypt", "/with%20space/%E1%88%B4", "/~t/")
QUERIES = ("", "a=1", "b=2&a=1", "a1=x&a=y", "a=2&a=1", "Action=GetCallerIdentity&Version=2011-06-15", "k&v=", "q=%2F%3D%26")
VALUES = ("x", "  two   words ", 'quoted "a  b"', "a,b;c=d", "tab\tinside", "ümlaut")
rng = random.Random(20261122)


def emit(text):
    sys.stdout.buffer.write(text.encode("utf-8") + b"\n")


for number in range(COUNT):
    secret = "".join(rng.choice("ABCabc0123456789+/") for _ in range(40))
    token = rng.choice((None, "FwoGZXIvYXdzE" + "a/+=" * rng.randrange(1, 200)))
    credentials = Credentials("AKIA" + "".join(rng.choice("ABCDEFGH234567") for _ in range(16)), secret, token)
    body = bytes(rng.randrange(256) for _ in range(rng.choice((0, 1, 2, 63, 64, 65, 5000))))
    host = rng.choice(("kms.us-east-1.amazonaws.com", "127.0.0.1:8080", "localhost"))
    url = "http://" + host + rng.choice(PATHS)
    query = rng.choice(QUERIES)
    presigned = number % 4 == 3
    headers = {"X-Amz-Target": "TrentService.Encrypt", "Content-Type": "application/x-amz-json-1.1"}
    for extra in range(rng.randrange(4)):
        headers["X-Own-%d" % extra] = rng.choice(VALUES)
    # SigV4QueryAuth makes parameters of a body, and drops those that have no value.
    if presigned:
        body, query = b"", "a=1&b=%2F" if query else ""
    request = AWSRequest(method=rng.choice(("POST", "GET")), url=url + ("?" + query if query else ""), data=body, headers=headers)
    if presigned:
        auth = SigV4QueryAuth(credentials, "kms", rng.choice(("us-east-1", "eu-central-1")), expires=600)
    else:
        auth = SigV4Auth(credentials, "kms", rng.choice(("us-east-1", "eu-central-1")))
    auth.add_auth(request)
    parts = urlsplit(request.url)
    emit("R %s %s" % (request.method, parts.path + ("?" + parts.query if parts.query else "")))
    emit("H Host: " + host)
    for name, value in request.headers.items():
        if name.lower() != "host":
            emit("H %s: %s" % (name, value))
    emit("B " + body.hex())
    emit("S " + secret)
    emit("E")
