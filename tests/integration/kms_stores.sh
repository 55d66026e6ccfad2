#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Custom key stores with the AWS CLI: a store in another cluster of three zones through its whole life, and what goes wrong with
# kmsuser, its password and the cluster on the way.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kms_store_lib.sh"
need aws python3
anchor=$store_dir/ca.pem
start_both_clusters 3
so() { other "$QHSM" "$@" --token dev --pin-file "$work/so"; }
set_password() { # password
    printf %s "$1" >"$work/new"
    so user delete kmsuser >/dev/null 2>&1 || true
    so user create kmsuser --new-pin-file "$work/new" >/dev/null
}
reconnect_with() { # password, what store_is() is to find
    disconnect
    kms update-custom-key-store --custom-key-store-id "$store" --key-store-password "$1"
    shift
    connect "$@"
}
seal() { kms encrypt --key-id "$id" --plaintext "$(printf kept | base64)" --query CiphertextBlob --output text; }
opens() { # file
    [ "$(kms decrypt --ciphertext-blob "fileb://$1" --query Plaintext --output text | base64 -d)" = kept ]
}

declare_store_cluster

step "what a store must be"
must_fail CloudHsmClusterNotFoundException create_store one "$anchor" first-password cluster-bcdefghijkl
must_fail IncorrectTrustAnchorException create_store one "$cluster/ca.pem" first-password "$store_cluster"
must_fail ValidationException kms create-custom-key-store --custom-key-store-name one
store=$(create_store one "$anchor" first-password "$store_cluster")
[ "$(create_store one "$anchor" first-password "$store_cluster")" = "$store" ]
must_fail CloudHsmClusterInUseException create_store two "$anchor" first-password "$store_cluster"
must_fail CustomKeyStoreNameInUseException create_store one "$anchor" other-password "$store_cluster"
store_is DISCONNECTED

step "kmsuser is missing, then has another password, then is locked out"
connect FAILED USER_NOT_FOUND
must_fail CustomKeyStoreInvalidStateException kms connect-custom-key-store --custom-key-store-id "$store"
set_password by-hand-password
reconnect_with wrong-password FAILED INVALID_CREDENTIALS
cat >"$work/lock_out.py" <<'PY'
import boto3, os, sys, time
from botocore.config import Config
kms = boto3.client("kms", endpoint_url=os.environ["QHSM_KMS_ENDPOINT"], config=Config(retries={"max_attempts": 10}))
store = {"CustomKeyStoreId": sys.argv[1]}
describe = lambda: kms.describe_custom_key_stores(**store)["CustomKeyStores"][0]
for _ in range(20):
    kms.disconnect_custom_key_store(**store)
    kms.connect_custom_key_store(**store)
    while describe()["ConnectionState"] == "CONNECTING":
        time.sleep(0.25)
    time.sleep(0.25)
    if describe()["ConnectionErrorCode"] != "INVALID_CREDENTIALS":
        break
PY
boto "$work/lock_out.py" "$store"
store_is FAILED USER_LOCKED_OUT
so user unlock kmsuser >/dev/null
reconnect_with by-hand-password CONNECTED

step "connected: only KMS knows the password now"
must_fail 'PIN_INCORRECT|wrong PIN' other "$QHSM" key list --token dev --user kmsuser --pin-file "$work/new"
so user unlock kmsuser >/dev/null

step "a key in the store, which its users see"
must_fail UnsupportedOperationException kms create-key --origin AWS_CLOUDHSM --custom-key-store-id "$store" --key-spec RSA_2048 --key-usage SIGN_VERIFY
id=$(kms create-key --origin AWS_CLOUDHSM --custom-key-store-id "$store" | json 'd["KeyMetadata"]["KeyId"]')
[ "$(kms describe-key --key-id "$id" | json 'd["KeyMetadata"]["CloudHsmClusterId"]')" = "$store_cluster" ]
seal | base64 -d >"$work/sealed"
opens "$work/sealed"
other "$QHSM" key list --token dev --pin-file "$work/user" -o json | json "[k['label'] for k in d]" | grep -q "$id"
kms generate-random --custom-key-store-id "$store" --number-of-bytes 32 >/dev/null
must_fail UnsupportedOperationException kms enable-key-rotation --key-id "$id"
must_fail UnsupportedOperationException kms generate-data-key-pair --key-id "$id" --key-pair-spec RSA_2048

step "kmsuser is the same at every HSM: each one alone serves the store"
for zone in a b c; do
    front_reaches "$zone"
    restart_kms
    opens "$work/sealed" || fail "the HSM of zone $zone does not know kmsuser as the others do"
done
front_reaches .
restart_kms

step "a second front end uses the store by its document"
"$QHSM" kms up --dir "$cluster" --name second >/dev/null
grep "^cluster = $store_cluster" "$cluster/kms/kms.conf" >>"$cluster/kms/second.conf"
restart_kms
start_second_kms
[ "$(aws --endpoint-url "$second" kms decrypt --ciphertext-blob "fileb://$work/sealed" --query Plaintext --output text | base64 -d)" = kept ]

step "a zone is killed while the store encrypts"
boto "$here/kms_load.py" "$id" 5 >"$work/load" 2>&1 &
load=$!
sleep 1
"$QHSM" chaos kill a --dir "$store_dir" >/dev/null
sleep 2
"$QHSM" chaos restart a --dir "$store_dir" >/dev/null
wait "$load" || { tail -n 5 "$work/load"; fail "a call failed while a zone was killed"; }
cat "$work/load"

step "one zone that is left is too few for new keys, and enough for use"
"$QHSM" chaos kill a --dir "$store_dir" >/dev/null
"$QHSM" chaos kill b --dir "$store_dir" >/dev/null
must_fail 'CloudHsmClusterInvalidConfigurationException|DependencyTimeout|ServiceUnavailable' \
    kms create-key --origin AWS_CLOUDHSM --custom-key-store-id "$store"
"$QHSM" chaos kill c --dir "$store_dir" >/dev/null

step "the cluster is gone: an error that can be tried again; and is back"
must_fail 'DependencyTimeout|Unavailable' kms decrypt --ciphertext-blob "fileb://$work/sealed" --cli-read-timeout 60
disconnect
[ "$(key_state "$id")" = Unavailable ]
must_fail KMSInvalidStateException kms decrypt --ciphertext-blob "fileb://$work/sealed"
connect FAILED NETWORK_ERRORS
for zone in a b c; do "$QHSM" chaos restart "$zone" --dir "$store_dir" >/dev/null; done
wait_for 20 other "$QHSM" key list --token dev --pin-file "$work/user"
disconnect
connect CONNECTED
[ "$(key_state "$id")" = Enabled ]
opens "$work/sealed"

step "the password is changed behind KMS's back"
set_password changed-by-hand
must_fail KMSInvalidStateException kms decrypt --ciphertext-blob "fileb://$work/sealed"
cat >"$work/insist.py" <<'PY'
import boto3, os, sys
from botocore.exceptions import ClientError
kms = boto3.client("kms", endpoint_url=os.environ["QHSM_KMS_ENDPOINT"])
for _ in range(30):
    try:
        kms.decrypt(CiphertextBlob=open(sys.argv[1], "rb").read())
        sys.exit("decrypted with a password that is another")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "KMSInvalidStateException", error
PY
boto "$work/insist.py" "$work/sealed" # not until kmsuser is locked
disconnect
connect FAILED INVALID_CREDENTIALS
must_fail CustomKeyStoreInvalidStateException kms update-custom-key-store --custom-key-store-id "$store" --key-store-password changed-by-hand
reconnect_with changed-by-hand CONNECTED
opens "$work/sealed"

step "the key is deleted by hand in the HSM"
backing=$(other "$QHSM" key list --token dev --pin-file "$work/user" -o json | json "[k['handle'] for k in d if k['label']=='$id'][0]")
other "$QHSM" key destroy "$backing" --token dev --pin-file "$work/user" >/dev/null
must_fail KMSInvalidStateException kms decrypt --ciphertext-blob "fileb://$work/sealed"

step "an orphan of the store is listed and deleted, and nothing else is"
another=$(kms create-key --origin AWS_CLOUDHSM --custom-key-store-id "$store" | json 'd["KeyMetadata"]["KeyId"]')
[ -z "$("$QHSM" keystore orphans list --dir "$cluster" "$store")" ]
lost=11111111-2222-3333-4444-555555555555
other "$QHSM" key generate aes:256 --label "$lost" --id 00112233445566778899aabbccddeeff --token dev --pin-file "$work/user" >/dev/null
other "$QHSM" key generate aes:256 --label mine --id 00 --token dev --pin-file "$work/user" >/dev/null
"$QHSM" keystore orphans list --dir "$cluster" "$store" | grep -q "^$lost 00112233445566778899aabbccddeeff [0-9]*$"
[ "$("$QHSM" keystore orphans delete --dir "$cluster" "$store" | wc -l)" = 1 ]
[ -z "$("$QHSM" keystore orphans list --dir "$cluster" "$store")" ]
other "$QHSM" key list --token dev --pin-file "$work/user" -o json | json "sorted(k['label'] for k in d)" >"$work/left"
grep -q mine "$work/left"
grep -q "$another" "$work/left"
must_fail NOT_FOUND "$QHSM" keystore orphans list --dir "$cluster" cks-00000000000000000

step "the end: not while connected, not with keys"
must_fail CustomKeyStoreInvalidStateException kms delete-custom-key-store --custom-key-store-id "$store"
disconnect
must_fail CustomKeyStoreHasCMKsException kms delete-custom-key-store --custom-key-store-id "$store"
must_fail CustomKeyStoreNotFoundException kms delete-custom-key-store --custom-key-store-id cks-00000000000000000

step "no password was written down"
"$QHSM" kms down --dir "$cluster"
for word in first-password by-hand-password changed-by-hand wrong-password; do
    if grep -rFqs -- "$word" "$cluster/kms/trail" "$cluster"/kms/*.log "$store_dir"/zone-*/qhsmd.log; then fail "found in log or trail: $word"; fi
done
