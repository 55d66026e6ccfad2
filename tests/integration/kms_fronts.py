# SPDX-License-Identifier: Apache-2.0
"""Callers of two front ends: `kms_fronts.py rights|crowd ENDPOINT ENDPOINT`."""
import json
import os
import sys
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = "arn:aws:iam::000000000000:root"
ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]})
KEY_POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}]}
)
CLIENTS, TURNS = 64, 3
CONFIG = Config(retries={"max_attempts": 0}, read_timeout=30, max_pool_connections=CLIENTS)


def client(endpoint, service="kms", **credentials):
    return boto3.client(service, endpoint_url=endpoint, config=CONFIG, **credentials)


def refusal(call, **members):
    try:
        call(**members)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def rights(first, second):
    kms, iam = client(first), client(first, "iam")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    ann = client(second, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    end = time.time() + 30  # a new access key is known to the other after 200 ms, and what that takes
    while refusal(ann.list_keys) == "UnrecognizedClientException":
        assert time.time() < end, "a new access key is not known to the other front end"
        time.sleep(0.05)
    calls = {
        "Encrypt": lambda id: refusal(ann.encrypt, KeyId=id, Plaintext=b"x"),
        "CreateGrant": lambda id: refusal(ann.create_grant, KeyId=id, GranteePrincipal=ROOT, Operations=["Decrypt"]),
        "PutKeyPolicy": lambda id: refusal(ann.put_key_policy, KeyId=id, PolicyName="default", Policy=KEY_POLICY),
        "ScheduleKeyDeletion": lambda id: refusal(ann.schedule_key_deletion, KeyId=id, PendingWindowInDays=7),
        "CreateKey": lambda id: refusal(ann.create_key),
        "GenerateRandom": lambda id: refusal(ann.generate_random, NumberOfBytes=8),
    }
    for name, call in calls.items():
        for _ in range(3):
            id = kms.create_key()["KeyMetadata"]["KeyId"]
            iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=ALL)
            assert refusal(ann.describe_key, KeyId=id) is None, "a right that was given, and a new key"
            iam.delete_user_policy(UserName="ann", PolicyName="p")
            code = call(id)
            assert code == "AccessDeniedException", f"{name} with rights that were taken away: {code}"

    id = kms.create_key()["KeyMetadata"]["KeyId"]
    other = client(second)
    for change, is_on in [(kms.disable_key, False), (kms.enable_key, True)] * 3:
        change(KeyId=id)
        assert other.describe_key(KeyId=id)["KeyMetadata"]["Enabled"] == is_on, "what is read is as new as the request"


def crowd(first, second):
    wrong, times = [], []
    clients = client(first), client(second)

    def work(number):
        kms = clients[number % 2]
        for turn in range(TURNS):
            begin = time.time()
            try:
                id = kms.create_key()["KeyMetadata"]["KeyId"]
                kms.create_grant(KeyId=id, GranteePrincipal=ROOT, Operations=["Decrypt"])
                kms.update_key_description(KeyId=id, Description=f"{number}/{turn}")
            except Exception as error:  # pylint: disable=broad-except
                wrong.append(repr(error))
            times.append(time.time() - begin)

    begin = time.time()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, f"{len(wrong)} failed: {wrong[:3]}"
    changes = 3 * CLIENTS * TURNS
    print(f"{changes} changes by {CLIENTS} clients, {changes / (time.time() - begin):.0f} a second, three at most {max(times):.1f} s")


if __name__ == "__main__":
    os.environ.pop("AWS_CA_BUNDLE", None)
    {"rights": rights, "crowd": crowd}[sys.argv[1]](*sys.argv[2:])
