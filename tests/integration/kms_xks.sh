#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The external key store proxy asked by curl, and as the external key store of another front end; with AWS's own test client where
# QHSM_XKS_TEST_CLIENT names its directory (github.com/aws-samples/aws-kms-xksproxy-test-client).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kms_store_lib.sh"
need aws python3 curl
access=BETWEEN2TENAND3TENCHARACTERS
secret=PleaseReplaceThisWithSomeSecretOfLength43To64

step "the proxy: a cluster of three zones with an external key"
cluster=$work/proxy
"$QHSM" dev up --zones 3 --dir "$cluster"
# shellcheck disable=SC1091
. "$cluster/env"
start_kms
start_aws
tr -d '\n' <"$cluster/kms/password" >"$work/user"
"$QHSM" key generate aes:256 --label 'external one' --id 000102030405060708090a0b0c0d0e0f --token kms --user kmsuser --pin-file "$work/user" >/dev/null
printf '# the first\n%s %s\n' "$access" "$secret" >"$cluster/kms/xks"
chmod 600 "$cluster/kms/xks"
cat >>"$cluster/kms/kms.conf" <<'CONF'
xks_credentials = xks
xks_prefix = /example/uri/path/prefix
xks_keys = foo external one
xks_keys = encrypt_only_key external one encrypt-only
xks_keys = decrypt_only_key external one decrypt-only
xks_keys = impotent_key external one no-use
CONF
for i in $(seq 8); do printf 'xks_keys = wanted-%s external one\n' "$i" >>"$cluster/kms/kms.conf"; done
restart_kms
host=${QHSM_KMS_HTTPS#https://}
host=localhost:${host##*:}
proxy_ca=$QHSM_KMS_CA
proxy_cluster=$cluster
base=https://$host/example/uri/path/prefix/kms/xks/v1

ask() { # path, body, curl's options...
    local path=$1 body=$2
    shift 2
    curl --silent --cacert "$proxy_ca" --aws-sigv4 aws:amz:eu-west-1:kms-xks-proxy --user "$access:$secret" -H 'Content-Type: application/json' \
        --data-binary "$body" "$@" "$base/$path"
}
metadata='"requestMetadata": {"awsPrincipalArn": "arn:aws:iam::123456789012:user/Alice", "kmsKeyArn": "arn:aws:kms:x", "kmsOperation": "NewOne", "kmsRequestId": "1"}'

step "curl signs, and is understood"
third_is_active() { ask health "{$metadata}" | json 'd["ekmFleetDetails"][2]["healthStatus"]' | grep -q ACTIVE; }
wait_for 10 third_is_active
ask keys/foo/metadata "{$metadata}" | json 'd["keyUsage"]' | grep -q DECRYPT
ask keys/foo/encrypt "{$metadata, \"plaintext\": \"aGVsbG8=\", \"encryptionAlgorithm\": \"AES_GCM\", \"additionalAuthenticatedData\": \"YWFk\"}" >"$work/sealed"
sealed=$(json '", ".join(chr(34)+k+chr(34)+": "+chr(34)+v+chr(34) for k, v in d.items())' <"$work/sealed")
opened() { ask keys/foo/decrypt "{$metadata, $sealed, \"encryptionAlgorithm\": \"AES_GCM\", \"additionalAuthenticatedData\": \"$1\"}"; }
[ "$(opened YWFk | json 'd["plaintext"]')" = aGVsbG8= ]
opened YWFl | grep -q InvalidCiphertextException
ask keys/none/metadata "{$metadata}" | grep -q KeyNotFoundException
ask elsewhere "{$metadata}" -w '%{http_code}' | grep -q '404$'
ask health "{$metadata}" --user "$access:x$secret" -w '%{http_code}' | grep -q 'AuthenticationFailed.*401$'
curl --silent --cacert "$proxy_ca" -o /dev/null -w '%{http_code}' "$base/health" | grep -q 405
curl --silent --cacert "$proxy_ca" "https://$host/ping" | grep -q healthy

if [ -n "${QHSM_XKS_TEST_CLIENT:-}" ]; then
    step "AWS's test client"
    mkdir "$work/bin" # it wants uuidgen
    printf '#!/bin/sh\ncat /proc/sys/kernel/random/uuid\n' >"$work/bin/uuidgen"
    chmod +x "$work/bin/uuidgen"
    (cd "$QHSM_XKS_TEST_CLIENT" && PATH=$work/bin:$PATH CURL_CA_BUNDLE=$proxy_ca XKS_PROXY_HOST=$host SIGV4_ACCESS_KEY_ID=$access SIGV4_SECRET_ACCESS_KEY=$secret \
        ANSI_ESCAPE=0 ./test-xks-proxy -a) >"$work/client" 2>&1 || true
    tail -n 1 "$work/client"
    grep -q 'All [0-9]* tests PASSED' "$work/client" || { grep -a -B 40 FAILED "$work/client" | tail -n 80; fail "AWS's test client"; }
fi

step "another front end with the proxy as its external key store"
cluster=$work/cluster
start_cluster
start_kms
printf 'xks_ca = %s\nxks_timeout_ms = 10000\n' "$proxy_ca" >>"$cluster/kms/kms.conf" # not the machine's speed is tried
restart_kms
create() { # name, endpoint, path, secret
    kms create-custom-key-store --custom-key-store-name "$1" --custom-key-store-type EXTERNAL_KEY_STORE --xks-proxy-uri-endpoint "$2" \
        --xks-proxy-uri-path "$3" --xks-proxy-connectivity PUBLIC_ENDPOINT \
        --xks-proxy-authentication-credential "AccessKeyId=$access,RawSecretAccessKey=$4" | json 'd["CustomKeyStoreId"]'
}
path=/example/uri/path/prefix/kms/xks/v1
must_fail XksProxyIncorrectAuthenticationCredentialException create out "https://$host" "$path" "x$secret"
must_fail XksProxyInvalidConfigurationException create out "https://$host" /other/kms/xks/v1 "$secret"
must_fail XksProxyUriUnreachableException create out https://localhost:1 "$path" "$secret"
must_fail XksProxyUriUnreachableException create out "https://${QHSM_KMS_HTTPS#https://}" "$path" "$secret"
store=$(create out "https://$host" "$path" "$secret")
must_fail XksProxyUriInUseException create other "https://$host" "$path" "$secret"
connect CONNECTED

step "a key of the proxy's"
make() { kms create-key --origin EXTERNAL_KEY_STORE --custom-key-store-id "$store" --xks-key-id "$1" | json 'd["KeyMetadata"]["KeyId"]'; }
must_fail XksKeyNotFoundException make unheard-of
must_fail XksKeyInvalidConfigurationException make encrypt_only_key
id=$(make foo)
must_fail XksKeyAlreadyInUseException make foo
[ "$(kms describe-key --key-id "$id" | json 'd["KeyMetadata"]["XksKeyConfiguration"]["Id"]')" = foo ]
kms encrypt --key-id "$id" --plaintext "$(printf kept | base64)" --encryption-context a=b --query CiphertextBlob --output text | base64 -d >"$work/blob"
opens() { [ "$(kms decrypt --ciphertext-blob "fileb://$work/blob" --encryption-context a=b --query Plaintext --output text | base64 -d)" = kept ]; }
opens
must_fail InvalidCiphertextException\|KMSInvalidStateException kms decrypt --ciphertext-blob "fileb://$work/blob"
kms generate-data-key --key-id "$id" --key-spec AES_256 >/dev/null
must_fail UnsupportedOperationException kms enable-key-rotation --key-id "$id"

step "one external key is one KMS key's, also when two front ends are asked at once"
"$QHSM" kms up --dir "$cluster" --name second --no-throttle >/dev/null
printf 'xks_ca = %s\nxks_timeout_ms = 10000\n' "$proxy_ca" >>"$cluster/kms/second.conf"
restart_kms
start_second_kms
cat >"$work/race.py" <<'PY'
import boto3, sys, threading
from botocore.config import Config
from botocore.exceptions import ClientError
store, *endpoints = sys.argv[1:]
fronts = [boto3.client("kms", endpoint_url=e, config=Config(retries={"max_attempts": 0}, read_timeout=60)) for e in endpoints]
start = threading.Barrier(2 * len(fronts))
made = {}

def create(kms, name):
    start.wait()
    try:
        return kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId=name) and "made"
    except ClientError as error:
        return error.response["Error"]["Code"]
def work(kms):
    for i in range(1, 9):
        made.setdefault(f"wanted-{i}", []).append(create(kms, f"wanted-{i}"))

threads = [threading.Thread(target=work, args=[kms]) for kms in fronts * 2]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for name, ends in made.items():
    assert sorted(ends) == ["XksKeyAlreadyInUseException"] * 3 + ["made"], (name, ends)
PY
boto "$work/race.py" "$store" "$QHSM_KMS_ENDPOINT" "$second"

step "it is encrypted twice: the proxy's own key does not open it to the text"
grep -q 'operation="Encrypt"' "$proxy_cluster/kms/kms.log"
grep -q 'operation="Decrypt"' "$proxy_cluster/kms/kms.log"

step "a zone of the proxy is killed while keys are used"
cat >"$work/load.py" <<'PY'
import boto3, os, sys, time
from botocore.config import Config
kms = boto3.client("kms", endpoint_url=os.environ["QHSM_KMS_ENDPOINT"], config=Config(retries={"max_attempts": 5}))
done, end = 0, time.time() + 5
while time.time() < end:
    sealed = kms.encrypt(KeyId=sys.argv[1], Plaintext=b"x" * 64)["CiphertextBlob"]
    done += 1
print(f"{done} encryptions")
PY
boto "$work/load.py" "$id" >"$work/load" 2>&1 &
load=$!
sleep 1
"$QHSM" chaos kill b --dir "$proxy_cluster" >/dev/null
sleep 2
"$QHSM" chaos restart b --dir "$proxy_cluster" >/dev/null
wait "$load" || { tail -n 5 "$work/load"; fail "a call failed while a zone was killed"; }
cat "$work/load"

step "credentials are rotated while the key is used"
new=AKIAI2SFODNN7ANOTHERONE
printf '%s %s\n%s A%s\n' "$access" "$secret" "$new" "$secret" >"$proxy_cluster/kms/xks"
kill -HUP "$(cat "$proxy_cluster/kms/kms.pid")"
opens
update() { kms update-custom-key-store --custom-key-store-id "$store" --xks-proxy-authentication-credential "AccessKeyId=$new,RawSecretAccessKey=A$secret"; }
wait_for 10 update
printf '%s A%s\n' "$new" "$secret" >"$proxy_cluster/kms/xks"
kill -HUP "$(cat "$proxy_cluster/kms/kms.pid")"
old_is_refused() { ask health "{$metadata}" | grep -q AuthenticationFailedException; }
wait_for 10 old_is_refused
opens

step "the proxy is gone: an error, and it is back"
"$QHSM" kms down --dir "$proxy_cluster"
must_fail 'KMSInvalidStateException.*cannot communicate with the external key store proxy' kms decrypt --ciphertext-blob "fileb://$work/blob" \
    --encryption-context a=b
"$QHSM" kms up --dir "$proxy_cluster" >/dev/null
wait_for 10 opens
disconnect
must_fail KMSInvalidStateException kms decrypt --ciphertext-blob "fileb://$work/blob" --encryption-context a=b
[ "$(kms describe-key --key-id "$id" | json 'd["KeyMetadata"]["KeyState"]')" = Unavailable ]

step "no secret was written down"
for word in "$secret" "$(printf kept | base64)"; do
    if grep -rFqs -- "$word" "$cluster/kms/trail" "$cluster"/kms/*.log "$proxy_cluster/kms/trail" "$proxy_cluster"/kms/*.log; then fail "found: $word"; fi
done
"$QHSM" kms down --dir "$proxy_cluster"
