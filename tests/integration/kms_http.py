#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hostile caller of the KMS front end, for kms_http.sh: kms_http.py PORT. Every answer must have AWS's shape, none
may change anything, and the front end must go on."""
import datetime
import http.client
import json
import os
import socket
import sys
import threading
import time
import types
import uuid

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
import botocore.auth

PORT = int(sys.argv[1])
HOST = "127.0.0.1:%d" % PORT
OWN = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
JSON = "application/x-amz-json-1.1"
failures = 0


class Clock:
    """botocore's, so many seconds off."""

    def __init__(self, offset):
        self.offset = offset

    def __enter__(self):
        offset, real = self.offset, datetime.datetime

        class Shifted(real):
            @classmethod
            def utcnow(cls):
                return real.utcnow() + datetime.timedelta(seconds=offset)

            @classmethod
            def now(cls, tz=None):
                return real.now(tz) + datetime.timedelta(seconds=offset)

        self.module, self.getter = botocore.auth.datetime, getattr(botocore.auth, "get_current_datetime", None)
        if self.getter:
            getter = self.getter
            botocore.auth.get_current_datetime = lambda *a, **k: getter(*a, **k) + datetime.timedelta(seconds=offset)
        else:
            botocore.auth.datetime = types.SimpleNamespace(datetime=Shifted, timedelta=datetime.timedelta)
        return self

    def __exit__(self, *_):
        botocore.auth.datetime = self.module
        if self.getter:
            botocore.auth.get_current_datetime = self.getter


class Presign(SigV4QueryAuth):
    """With a body, which botocore would move into the query."""

    def _modify_request_before_signing(self, request):
        data, request.data = request.data, b""
        super()._modify_request_before_signing(request)
        request.data = data


def signed(target="TrentService.ListKeys", body=b"{}", credentials=OWN, region="us-east-1", service="kms", path="/",
           headers=None, method="POST", presign=0):
    """(method, path with query, headers, body)"""
    all_headers = {"X-Amz-Target": target, "Content-Type": JSON} if target else {}
    all_headers.update(headers or {})
    request = AWSRequest(method=method, url="http://" + HOST + path, data=body, headers=all_headers)
    auth = Presign(credentials, service, region, expires=presign) if presign else SigV4Auth(credentials, service, region)
    auth.add_auth(request)
    rest = request.url.split(HOST, 1)[1]
    return method, rest, [("Host", HOST)] + [(k, v) for k, v in request.headers.items() if k.lower() != "host"], body


def send(request):
    method, path, headers, body = request
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    if not any(name.lower() == "content-length" for name, _ in headers):
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer, data


def expect(what, request, status, kind=None, text=None):
    global failures
    answer, data = send(request)
    wrong = answer.status != status
    if not wrong and kind:
        parsed = json.loads(data)
        wrong = parsed.get("__type") != kind or not (text is None or text in parsed.get("message", ""))
        wrong = wrong or answer.getheader("x-amzn-ErrorType") != kind
    try:
        uuid.UUID(answer.getheader("x-amzn-RequestId"))
    except (TypeError, ValueError):
        wrong = True
    if wrong:
        failures += 1
        print("WRONG: %s: %d %r" % (what, answer.status, data[:400]))
    return data


def changed(request, **what):
    """With another header's value, path or body than was signed."""
    method, path, headers, body = request
    headers = [(k, what.get("headers", {}).get(k, v)) for k, v in headers]
    return what.get("method", method), what.get("path", path), headers + what.get("more", []), what.get("body", body)


def keys():
    return json.loads(expect("list", signed(), 200))["Keys"]


MISMATCH = "The request signature we calculated does not match"


def signatures():
    good = signed()
    expect("good", good, 200)
    expect("the same again", good, 200)
    expect("wrong secret", signed(credentials=Credentials(OWN.access_key, "x" * 40)), 400, "InvalidSignatureException", MISMATCH)
    expect("unknown access key", signed(credentials=Credentials("AKIAAAAAAAAAAAAAAAAA", "x" * 40)), 400,
           "UnrecognizedClientException", "The security token included in the request is invalid.")
    expect("made-up token", signed(credentials=Credentials("ASIAAAAAAAAAAAAAAAAA", "x" * 40, "token")), 400,
           "UnrecognizedClientException")
    expect("another body", changed(good, body=b'{"Limit":1}'), 400, "InvalidSignatureException", MISMATCH)
    expect("another path", changed(good, path="/x"), 400, "InvalidSignatureException", MISMATCH)
    expect("another query", changed(good, path="/?a=b"), 400, "InvalidSignatureException", MISMATCH)
    expect("another operation", changed(good, headers={"X-Amz-Target": "TrentService.CreateKey"}), 400,
           "InvalidSignatureException", MISMATCH)
    expect("a host put in", changed(good, headers={"Host": "kms.example.com"}), 400, "InvalidSignatureException", MISMATCH)
    expect("a token put in", changed(good, more=[("X-Amz-Security-Token", "t")]), 400, "InvalidSignatureException")
    expect("a second target", changed(good, more=[("X-Amz-Target", "TrentService.CreateKey")]), 400, "SerializationException")
    expect("a second date", changed(good, more=[("X-Amz-Date", "20260101T000000Z")]), 400)
    expect("a second authorization", changed(good, more=[("Authorization", "AWS4-HMAC-SHA256 Credential=x")]), 400,
           "IncompleteSignatureException")
    expect("no signature", changed(good, headers={"Authorization": "Basic eDp5"}), 400, "IncompleteSignatureException",
           "Authorization header requires 'Credential' parameter.")
    method, path, headers, body = good
    expect("nothing", (method, path, [h for h in headers if h[0] != "Authorization"], body), 403,
           "MissingAuthenticationTokenException")
    expect("unsigned body", signed(headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}), 400, "InvalidSignatureException")
    expect("another region", signed(region="mars-north-1"), 400, "InvalidSignatureException",
           "Credential should be scoped to a valid region")
    expect("another service", signed(service="s3"), 400, "InvalidSignatureException",
           "Credential should be scoped to correct service: 'kms'.")


def clocks():
    for offset in (-290, 290):
        with Clock(offset):
            expect("clock %d" % offset, signed(), 200)
    with Clock(-310):
        late = signed()
        expect("a replay after five minutes", late, 400, "InvalidSignatureException", "Signature expired: ")
    with Clock(310):
        expect("a clock ahead", signed(), 400, "InvalidSignatureException", "Signature not yet current: ")
    expect("presigned", signed(presign=60), 200)
    expect("presigned, no JSON", signed(presign=60, body=b""), 400, "SerializationException")
    with Clock(-120):
        expect("presigned, over", signed(presign=60, body=b""), 400, "InvalidSignatureException", "Signature expired: ")


def shapes():
    before = keys()
    expect("unknown operation", signed("TrentService.EatKey"), 400, "UnknownOperationException")
    expect("unknown service", signed("DynamoDB_20120810.ListTables"), 400, "UnknownOperationException")
    for body in (b"", b"{", b"[]", b'"x"', b"null", b"\xff\xfe", b'{"KeyId":', b"{" * 5000, b"[" * 100000, b'{"a":1}{"b":2}',
                 b'{"Limit":1,"Limit":2}', b'{"Limit":"many"}', b'{"Limit":1e999}', b'{"Marker":"\\ud800"}', b'{"Marker":"\\u0000"}'):
        expect("body %r" % body[:20], signed(body=body), 400)
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH"):
        expect(method, signed(method=method), 405)
    expect("no target", signed(target=None), 404)
    for path in ("/ping", "/health"):
        answer, data = send(("GET", path, [("Host", HOST)], b""))
        if answer.status != 200 or not data:
            raise SystemExit("no answer for load balancers")
    foreign = "arn:aws:kms:us-east-1:999999999999:key/%s" % uuid.uuid4()
    expect("another account's key", signed("TrentService.DescribeKey", json.dumps({"KeyId": foreign}).encode()), 400,
           "AccessDeniedException")
    expect("big", signed(body=b'{"Marker":"' + b"x" * 300000 + b'"}'), 413, "RequestEntityTooLargeException")
    if keys() != before:
        raise SystemExit("something changed")


def slow(results, first):
    """Seconds until the front end ends a caller that says a byte now and then."""
    start = time.time()
    with socket.create_connection(("127.0.0.1", PORT)) as connection:
        connection.sendall(first)
        connection.settimeout(0.5)
        while time.time() - start < 60:
            try:
                if connection.recv(1000) == b"":
                    break
            except socket.timeout:
                try:
                    connection.sendall(b"x")
                except OSError:
                    break
            except OSError:
                break
    results.append(time.time() - start)


def slow_callers():
    results = []
    firsts = [b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n", b"POST / HTTP/1.1\r\nHost: h\r\nX-Long: "]
    threads = [threading.Thread(target=slow, args=(results, firsts[i % 2])) for i in range(40)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        began = time.time()
        expect("beside slow ones", signed(), 200)
        if time.time() - began > 5:
            raise SystemExit("slow callers hold up others")
    for thread in threads:
        thread.join()
    if max(results) > 10:
        raise SystemExit("slow callers are not ended: %s" % results)


for run in (signatures, clocks, shapes, slow_callers):
    run()
    print(run.__name__, "done")
sys.exit(1 if failures else 0)
