#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Keys and metadata survive: a zone that is killed under load, all HSMs stopped and started, and a backup restored into another cluster.
. "$(dirname "$0")/lib.sh"
need aws python3
step "three zones and a front end"
"$QHSM" dev up --zones 3 --dir "$cluster"
start_kms
start_aws
id=$(kms create-key --description survives | json 'd["KeyMetadata"]["KeyId"]')
kms create-alias --alias-name alias/survives --target-key-id "$id"
sealed=$(kms encrypt --key-id alias/survives --plaintext "$(printf kept | base64)" --encryption-context a=b --query CiphertextBlob --output text)
printf '%s' "$sealed" | base64 -d >"$work/sealed"
opens() { [ "$(kms decrypt --ciphertext-blob "fileb://$work/sealed" --encryption-context a=b --query Plaintext --output text | base64 -d)" = kept ]; }
opens

step "a zone is killed, then another one that leads, and comes back"
boto "$here/kms_load.py" "$id" 8 >"$work/load" 2>&1 &
load=$!
sleep 1
for zone in a b; do
    "$QHSM" chaos kill "$zone" --dir "$cluster" >/dev/null
    sleep 2
    "$QHSM" chaos restart "$zone" --dir "$cluster" >/dev/null
    sleep 1
done
wait "$load" || { tail -n 5 "$work/load"; fail "a call failed while a zone was killed"; }
cat "$work/load"

step "all HSMs stop, and start again"
"$QHSM" backup create >/dev/null
for file in "$cluster"/zone-*/state/backups/*.qhsmbackup; do cp "$file" "$work/"; done
"$QHSM" dev down --dir "$cluster"
"$QHSM" dev up --dir "$cluster" >/dev/null
"$QHSM" kms up --dir "$cluster" >/dev/null
wait_for 10 opens

step "the backup in another cluster: its front end opens what the first one sealed"
backup=$(ls "$work"/*.qhsmbackup | tail -n 1)
fresh=$work/fresh
unset QHSM_CONF QHSM_TOKEN
form_hsm "$fresh"
mkdir "$fresh/trail"
export QHSM_CONF=$fresh/client.conf
"$QHSM" backup restore --shares "$cluster/shares" --yes "$backup" >/dev/null
wait_for 20 "$QHSM" key list --token kms --user kmsuser --pin-file "$cluster/kms/password"
"$QHSM" cluster certificate create kms --role keystore --out "$fresh" >/dev/null
tcp=$(sed -n 's/^listen_tcp = //p' "$fresh/qhsmd.conf")
printf 'endpoint = tcp:%s\nca = ca.pem\ncert = kms.pem\nkey = kms.key\n' "$tcp" >"$fresh/kms-client.conf"
port=$(free_port)
{
    printf 'listen = 127.0.0.1:%s\naccount = 000000000000\nregion = us-east-1\nhsm_conf = kms-client.conf\nhsm_token = kms\nhsm_user = kmsuser\n' "$port"
    printf 'hsm_password_file = %s/kms/password\ntrail_dir = trail\n' "$cluster"
} >"$fresh/kms.conf"
"$QHSM_BUILD/kms/qhsm-kms" --config "$fresh/kms.conf" 2>>"$work/fresh-kms.log" &
pids+=($!)
wait_for 20 curl -fsS "http://127.0.0.1:$port/ping"
QHSM_KMS_ENDPOINT=http://127.0.0.1:$port
opens
[ "$(kms describe-key --key-id alias/survives | json 'd["KeyMetadata"]["Description"]')" = survives ]
