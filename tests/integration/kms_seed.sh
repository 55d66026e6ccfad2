#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Declared test keys: a front end makes them at its start, again changes nothing, and what one cluster has encrypted under them another
# one opens that was made from the same file.
. "$(dirname "$0")/lib.sh"
need aws python3
kms_output=text
material=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
cat >"$work/seed.json" <<JSON
{"keys": [
  {"KeyId": "11111111-2222-3333-4444-555555555555", "Aliases": ["alias/seeded"], "KeyMaterial": "$material",
   "Tags": [{"TagKey": "purpose", "TagValue": "tests"}]},
  {"KeyId": "22222222-2222-3333-4444-555555555555", "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "Aliases": ["alias/signer"]},
  {"KeyId": "33333333-2222-3333-4444-555555555555", "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC", "KeyMaterial": "$material"}
]}
JSON

# A front end of the cluster in $cluster with that file.
start_seeded() {
    start_kms
    "$QHSM" kms down --dir "$cluster" >/dev/null
    { cat "$cluster/kms/kms.conf"; echo "seed_file = $work/seed.json"; } >"$cluster/kms/seeded.conf"
    "$QHSM_BUILD/kms/qhsm-kms" --config "$cluster/kms/seeded.conf" >>"$work/seeded.log" 2>&1 &
    pids+=("$!")
    front=$!
    wait_for 60 kms list-keys
}
stop_seeded() { kill "$front"; wait "$front" || fail "the front end ended with an error"; }

step "keys, aliases and tags are there"
"$QHSM" dev up --dir "$cluster" --zones 1
start_aws
start_seeded
[ "$(kms describe-key --key-id alias/seeded --query KeyMetadata.[KeyId,Origin] | tr '\t' ' ')" = "11111111-2222-3333-4444-555555555555 EXTERNAL" ]
[ "$(kms list-resource-tags --key-id 11111111-2222-3333-4444-555555555555 --query 'Tags[].TagValue')" = tests ]
kms sign --key-id alias/signer --message "$(printf text | base64)" --signing-algorithm ECDSA_SHA_256 >/dev/null

step "the material is the file's"
mac=$(kms generate-mac --key-id 33333333-2222-3333-4444-555555555555 --message "$(printf text | base64)" --mac-algorithm HMAC_SHA_256 --query Mac)
[ "$mac" = "$(python3 -c 'import base64, hmac; print(base64.b64encode(hmac.digest(bytes(range(32)), b"text", "sha256")).decode())')" ]
kms encrypt --key-id alias/seeded --plaintext "$(printf kept | base64)" --query CiphertextBlob | base64 -d >"$work/sealed"

step "a second start changes nothing"
stop_seeded
made=$(grep -c test_key_made "$work/seeded.log")
[ "$made" -eq 3 ]
start_seeded
[ "$(grep -c test_key_made "$work/seeded.log")" -eq 3 ]
stop_seeded

step "another cluster opens it"
"$QHSM" dev down --dir "$cluster" >/dev/null
cluster=$work/second
"$QHSM" dev up --dir "$cluster" --zones 1
start_seeded
[ "$(kms decrypt --ciphertext-blob "fileb://$work/sealed" --query Plaintext | base64 -d)" = kept ]
stop_seeded

step "a file that is wrong is named, and nothing starts"
echo '{"keys": [{"KeyId": "44444444-2222-3333-4444-555555555555", "KeySpec": "RSA_1"}]}' >"$work/seed.json"
must_fail 'seed.json.*44444444-2222-3333-4444-555555555555.*KeySpec' "$QHSM_BUILD/kms/qhsm-kms" --config "$cluster/kms/seeded.conf"
