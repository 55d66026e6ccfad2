#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The KMS's documents are of the token and user that wrote them first: who has a keystore certificate and another login does not
# become an administrator of the KMS. They can be given up, and go with their token.
. "$(dirname "$0")/lib.sh"
start_cluster
start_kms
start_aws
export AWS_MAX_ATTEMPTS=1
keys() { kms list-keys | json 'len(d["Keys"])'; }
so() { "$QHSM" "$@" --token dev --pin-file "$work/so"; }

step "a key, and another token's crypto user with a keystore certificate"
id=$(kms create-key | json 'd["KeyMetadata"]["KeyId"]')
printf %s "$QHSM_SO_PIN" >"$work/so"
printf 'a password of his own' >"$work/password"
so user create kmsuser --new-pin-file "$work/password" >/dev/null
"$QHSM" user create thief --token kms --pin-file "$cluster/kms/so-pin" --new-pin-file "$work/password" >/dev/null
"$QHSM" cluster certificate create thief --role keystore --out "$work" >/dev/null
{
    grep '^endpoint = tcp' "$cluster/client.conf"
    by_certificate "$cluster" "$work/thief"
} >"$work/thief-client.conf"
front_of() { # token, user
    sed -e "s|^listen = .*|listen = 127.0.0.1:$(free_port)|" -e '/^listen_https/d' -e '/^cert = /d' -e '/^key = /d' -e '/^trail_dir/d' \
        -e "s|^hsm_conf = .*|hsm_conf = $work/thief-client.conf|" -e "s|^hsm_token = .*|hsm_token = $1|" \
        -e "s|^hsm_user = .*|hsm_user = $2|" -e "s|^hsm_password_file = .*|hsm_password_file = $work/password|" \
        -e "s|^administrators_file = .*|administrators_file = $cluster/kms/administrators|" "$cluster/kms/kms.conf" >"$work/thief.conf"
    grep -q "^hsm_user" "$work/thief.conf" || printf 'hsm_user = %s\n' "$2" >>"$work/thief.conf"
    "$QHSM_BUILD/kms/qhsm-kms" --config "$work/thief.conf"
}

step "his front end does not start: it says whose the documents are, and what to do"
must_fail NOT_OWNER front_of dev kmsuser
must_fail 'kmsuser of the token in slot 2, this login is kmsuser of the token in slot 1' front_of dev kmsuser
must_fail 'qhsm keystore release' front_of dev kmsuser

step "nor does another user of the KMS's own token get them"
must_fail 'kmsuser of the token in slot 2, this login is thief of the token in slot 2' front_of kms thief

[ "$(keys)" = 1 ]

step "the owner goes on, after a restart of both too"
"$QHSM" chaos kill a --dir "$cluster" >/dev/null
"$QHSM" chaos restart a --dir "$cluster" >/dev/null
restart_kms
kms describe-key --key-id "$id" >/dev/null
must_fail NOT_OWNER front_of dev kmsuser

step "released by an administrator they are of the next front end that starts"
must_fail 'yes' "$QHSM" keystore release </dev/null
"$QHSM" keystore release --yes
must_fail NOT_FOUND "$QHSM" keystore release --yes
restart_kms
[ "$(keys)" = 1 ]
must_fail NOT_OWNER front_of dev kmsuser

step "they go with their token"
"$QHSM" kms down --dir "$cluster" >/dev/null
"$QHSM" token init kms --slot 2 --force --so-pin-file "$cluster/kms/so-pin" --yes >/dev/null
"$QHSM" user create kmsuser --token kms --pin-file "$cluster/kms/so-pin" --new-pin-file "$cluster/kms/password" >/dev/null
"$QHSM" kms up --dir "$cluster" >/dev/null
[ "$(keys)" = 0 ]
must_fail NotFoundException kms describe-key --key-id "$id"
kms create-key >/dev/null
must_fail NOT_OWNER front_of dev kmsuser
