#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two front ends of one cluster of three zones: rights that one has taken away do nothing at the other, what one has made the other finds,
# many clients of both change things at once, and a document that none can read stops none of them.
. "$(dirname "$0")/lib.sh"
need python3
/usr/bin/python3 -c 'import boto3' 2>/dev/null || skip "needs boto3"
restart() {
    restart_kms
    "$QHSM" kms up --dir "$cluster" --name second >/dev/null
}

step "three zones and two front ends"
"$QHSM" dev up --dir "$cluster" --zones 3
start_kms
start_aws
start_second_kms --no-throttle
export AWS_MAX_ATTEMPTS=1

step "rights taken away at the first, used at the second in the next request; what is new is found"
boto "$here/kms_fronts.py" rights "$QHSM_KMS_ENDPOINT" "$second"

step "a grant of no operation is refused, and stored by nobody"
id=$(kms create-key | json 'd["KeyMetadata"]["KeyId"]')
root=arn:aws:iam::000000000000:root
must_fail "Value '\[\]' at 'operations' failed to satisfy constraint: Member must have length greater than or equal to 1" \
    kms create-grant --key-id "$id" --grantee-principal "$root" --operations '[]'

step "a document that no front end can read is passed over, listed and deleted"
poison=grant/us-east-1/$id/0000
"$QHSM_BUILD/tests/integration/kms_view" "$cluster/kms/client.conf" "$cluster/kms/password" put "$poison" '{"operations":[]}'
restart
"$QHSM" kms explain --dir "$cluster" "$root" kms:Encrypt "$id" >/dev/null
[ "$(kms list-grants --key-id "$id" | json 'len(d["Grants"])')" = 0 ]
[ "$("$QHSM" keystore documents list --dir "$cluster" 2>/dev/null)" = "$poison 1" ]
must_fail NOT_FOUND "$QHSM" keystore documents delete --dir "$cluster" "key/us-east-1/$id"
"$QHSM" keystore documents delete --dir "$cluster" "$poison"
[ -z "$("$QHSM" keystore documents list --dir "$cluster")" ]

step "while a key cannot be read no backing key is deleted"
"$QHSM_BUILD/tests/integration/kms_view" "$cluster/kms/client.conf" "$cluster/kms/password" put key/us-east-1/damaged '{}'
must_fail 'key/us-east-1/damaged cannot be read' "$QHSM" keystore orphans delete --dir "$cluster"
"$QHSM" keystore documents delete --dir "$cluster" key/us-east-1/damaged
"$QHSM" keystore orphans delete --dir "$cluster"

step "64 clients of both make and change keys at once: none fails"
boto "$here/kms_fronts.py" crowd "$QHSM_KMS_ENDPOINT" "$second"

step "a front end that does not start is not taken for an HSM that cannot be reached"
"$QHSM" kms down --dir "$cluster"
echo 'nonsense = yes' >>"$cluster/kms/second.conf"
must_fail 'did not start: .*error=CONFIG' "$QHSM" kms up --dir "$cluster" --name second
must_fail 'INTERNAL' "$QHSM" kms up --dir "$cluster" --name second
