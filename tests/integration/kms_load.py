# SPDX-License-Identifier: Apache-2.0
# Encrypts and decrypts without a pause, each call tried once, and says how long the longest round trip took.
#   kms_load.py KEY SECONDS
import os
import sys
import time

import boto3
from botocore.config import Config

kms = boto3.client("kms", endpoint_url=os.environ["QHSM_KMS_ENDPOINT"], config=Config(retries={"max_attempts": 0}, read_timeout=20))
done, longest, end = 0, 0, time.time() + float(sys.argv[2])
while time.time() < end:
    begin = time.time()
    sealed = kms.encrypt(KeyId=sys.argv[1], Plaintext=b"x" * 64)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x" * 64
    longest = max(longest, time.time() - begin)
    done += 1
print(f"{done} round trips, the longest {longest * 1000:.0f} ms")
