#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every algorithm of the KMS front end against openssl, imports, grants and multi-Region keys, with Debian's boto3.
. "$(dirname "$0")/lib.sh"
need openssl
/usr/bin/python3 -c 'import boto3' 2>/dev/null || skip "python3-boto3 is not installed"
start_cluster
start_kms
export work
export QHSM_KMS_REGION2=us-west-2

step "each case of kms_crypto.py"
boto "$here/kms_crypto.py" "$@"

step "some of them over HTTPS"
QHSM_KMS_ENDPOINT=$QHSM_KMS_HTTPS AWS_CA_BUNDLE=$QHSM_KMS_CA SSL_CERT_FILE=$QHSM_KMS_CA \
    boto "$here/kms_crypto.py" encryption_context changed_ciphertext macs_are >"$work/https"
cat "$work/https"
[ "$(grep -c '^ok ' "$work/https")" = 3 ]

step "who asks more often than a quota allows is told so; AWS's client waits and gets through"
start_second_kms
boto - "$second" <<'PY'
import sys, boto3
from botocore.config import Config
from botocore.exceptions import ClientError
def client(attempts):
    return boto3.client("kms", endpoint_url=sys.argv[1], config=Config(retries={"mode": "standard", "total_max_attempts": attempts}))
hasty, patient = client(1), client(8)
refused = None
for _ in range(1000):
    try:
        hasty.describe_custom_key_stores()
    except ClientError as error:
        refused = error.response
        break
assert refused and refused["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}, refused
assert refused["ResponseMetadata"]["HTTPStatusCode"] == 400
patient.describe_custom_key_stores()
hasty.list_aliases()  # its quota is another
PY

step "neither log nor trail holds a plaintext"
"$QHSM" kms down --dir "$cluster"
for secret in 'from openssl' 'short-lived'; do
    if grep -rqF -e "$secret" -e "$(printf %s "$secret" | base64)" "$cluster"/kms "$cluster"/zone-*/qhsmd.log; then fail "'$secret' was written down"; fi
done
