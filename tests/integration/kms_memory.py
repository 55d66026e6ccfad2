#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What went through the front end and the HSM is not in their memory afterwards: kms_memory.py PIN PID..."""
import base64
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import botocore.config

MARK = b"unmistakable"  # a multiple of three: base64 has it wherever it stands
SECONDS = 20


def writable(pid):
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            low, high, name = re.match(r"(\w+)-(\w+) (?:rw\S+ \S+ \S+ \S+ *(.*))?", line).groups()
            if name is not None and name not in ("[vvar]", "[vsyscall]"):
                yield int(low, 16), int(high, 16)


def find(pid, needles):
    found = {}
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for low, high in writable(pid):
            try:
                memory.seek(low)
                data = memory.read(high - low)
            except OSError:
                continue  # a guard
            for name, needle in needles.items():
                count = data.count(needle)
                if count:
                    found[name] = found.get(name, 0) + count
    return found


def use(kms, key, i):
    secret = (MARK * (1 + 3 * i))[:4000]
    sealed = kms.encrypt(KeyId=key, Plaintext=secret)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == secret


def main():
    pin, pids = sys.argv[1].encode(), sys.argv[2:]
    kms = boto3.client("kms", endpoint_url=os.environ["QHSM_KMS_ENDPOINT"], config=botocore.config.Config(retries={"max_attempts": 8}))
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: use(kms, key, i), range(120)))
    needles = {"plaintext": MARK, "plaintext in base64": base64.b64encode(MARK), "PIN": pin}
    assert set(find(os.getpid(), needles)) == set(needles), "what is there is not found"
    end = time.monotonic() + SECONDS  # answers are on their way out of the front end for a moment
    left = {}
    for pid in pids:
        while (left := find(pid, needles)) and time.monotonic() < end:
            time.sleep(0.2)
        if left:
            name = open(f"/proc/{pid}/comm").read().strip()
            sys.exit(f"kms_memory: the memory of {name} still has {left}")


main()
