#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Plaintexts and PINs that were used are not left in the memory of the front end and of the HSMs.
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import boto3' 2>/dev/null || skip "python3-boto3 is not installed"
start_cluster
start_kms
mapfile -t pids < <(pgrep -f "qhsm.*$cluster")
[ "${#pids[@]}" -ge 2 ]
head -c 1 "/proc/${pids[0]}/auxv" >/dev/null 2>&1 || skip "the memory of daemons is root's to read"

step "a login with a PIN that is found when it is there"
pin='a PIN like no other'
printf %s "$QHSM_SO_PIN" >"$work/so"
printf %s "$pin" >"$work/pin"
"$QHSM" user create marked --token dev --pin-file "$work/so" --new-pin-file "$work/pin" >/dev/null
"$QHSM" key list --token dev --user marked --pin-file "$work/pin" >/dev/null

step "many plaintexts at once, then the memory"
boto "$here/kms_memory.py" "$pin" "${pids[@]}"
