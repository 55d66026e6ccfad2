#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A day with the AWS CLI: a key, its alias, tags and policy, use, rotation, disabling, deletion; and that the key lies in the HSM.
. "$(dirname "$0")/lib.sh"
need aws python3
start_cluster
start_kms
start_aws
secure() { aws --endpoint-url "$QHSM_KMS_HTTPS" --ca-bundle "$QHSM_KMS_CA" --output json kms "$@"; }

step "the line that kms up prints"
line=$("$QHSM" kms up --dir "$cluster" | sed -n 's/.*then: //p')
[ "$(bash -c "$line --output json" | json 'len(d["Keys"])')" = 0 ]

step "a key, by its id and by its alias"
id=$(kms create-key --description 'of the command line' --tags TagKey=team,TagValue=blue | json 'd["KeyMetadata"]["KeyId"]')
kms create-alias --alias-name alias/work --target-key-id "$id"
[ "$(kms describe-key --key-id alias/work | json 'd["KeyMetadata"]["KeyState"]')" = Enabled ]
[ "$(kms list-resource-tags --key-id "$id" | json 'd["Tags"][0]["TagValue"]')" = blue ]
[ "$(secure list-aliases | json '[a["TargetKeyId"] for a in d["Aliases"] if a["AliasName"]=="alias/work"][0]')" = "$id" ]

step "encrypt and decrypt"
printf 'a secret of the trail test' >"$work/plain"
kms encrypt --key-id alias/work --plaintext "fileb://$work/plain" --encryption-context team=blue,purpose=test --query CiphertextBlob --output text |
    base64 -d >"$work/sealed"
secure decrypt --ciphertext-blob "fileb://$work/sealed" --encryption-context purpose=test,team=blue --query Plaintext --output text | base64 -d |
    cmp - "$work/plain"
must_fail InvalidCiphertextException kms decrypt --ciphertext-blob "fileb://$work/sealed"

step "the key lies in the HSM, and its users see it"
tr -d '\n' <"$cluster/kms/password" >"$work/kmsuser"
"$QHSM" key list --token kms --user kmsuser --pin-file "$work/kmsuser" -o json | json "[k['label'] for k in d]" | grep -q "$id"

step "what cannot be explained is told as any error of a command"
must_fail "why:  .*Alias .*none is not found" "$QHSM" kms explain --dir "$cluster" arn:aws:iam::000000000000:root kms:Encrypt alias/none

step "disabled, it is refused at once; enabled, it opens again"
kms disable-key --key-id "$id"
must_fail 'DisabledException.*is disabled' kms decrypt --ciphertext-blob "fileb://$work/sealed" --encryption-context team=blue,purpose=test
kms enable-key --key-id "$id"
kms decrypt --ciphertext-blob "fileb://$work/sealed" --encryption-context team=blue,purpose=test >/dev/null

step "deletion waits, and can be called off"
must_fail 'ValidationException' kms schedule-key-deletion --key-id "$id" --pending-window-in-days 6
kms schedule-key-deletion --key-id "$id" --pending-window-in-days 7 >/dev/null
must_fail 'KMSInvalidStateException.*is pending deletion' kms encrypt --key-id "$id" --plaintext YQ==
kms cancel-key-deletion --key-id "$id" >/dev/null
[ "$(kms describe-key --key-id "$id" | json 'd["KeyMetadata"]["KeyState"]')" = Disabled ]

step "a front end that is started again, and a second one, have the same"
"$QHSM" kms down --dir "$cluster"
mv "$cluster/kms/password" "$cluster/kms/password.new" # as if the first start had been killed before its end
"$QHSM" kms up --dir "$cluster" >/dev/null
[ ! -e "$cluster/kms/password.new" ]
kms enable-key --key-id "$id"
start_second_kms
aws --endpoint-url "$second" --output json kms decrypt --ciphertext-blob "fileb://$work/sealed" --encryption-context team=blue,purpose=test \
    --query Plaintext --output text | base64 -d | cmp - "$work/plain"
kms disable-key --key-id "$id"
must_fail DisabledException aws --endpoint-url "$second" kms encrypt --key-id "$id" --plaintext YQ==

step "a front end without quotas, if that is wanted"
"$QHSM" kms up --dir "$cluster" --name free --no-throttle >/dev/null
grep -qx 'throttle = no' "$cluster/kms/free.conf"
[ "$(grep -c throttle "$cluster/kms/second.conf")" = 0 ]

step "neither log nor trail holds the plaintext"
"$QHSM" kms down --dir "$cluster"
grep -rqs '"eventName": *"Decrypt"' "$cluster/kms/trail" || zgrep -rqs '"eventName": *"Decrypt"' "$cluster/kms/trail"
for word in 'a secret of the trail test' "$(base64 -w0 <"$work/plain")" "$AWS_SECRET_ACCESS_KEY" "$(cat "$cluster/kms/password")"; do
    if grep -rFqs -- "$word" "$cluster/kms/trail" "$cluster"/kms/*.log "$cluster"/zone-*/qhsmd.log; then fail "found in log or trail: $word"; fi
done
"$QHSM" kms trail verify --dir "$cluster" >/dev/null
