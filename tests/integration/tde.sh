#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A database's transparent encryption: master keys made, found by label from other processes, rotated; the HSM is killed on the way.
. "$(dirname "$0")/lib.sh"
program=$QHSM_BUILD/tests/integration/tde
start_cluster
(umask 077; echo "$QHSM_SO_PIN" >"$work/so"; echo 'pass:word:1' >"$work/new")
tde() {
    step "$*"
    "$program" "$@" "$work/table" >"$work/said" 2>&1 || { cat "$work/said"; fail "tde $*"; }
    [ ! -s "$work/said" ] || { cat "$work/said"; fail "tde $* was not silent"; }
}

step "a crypto user for the database, whose password has colons in it"
"$QHSM" user create oracle --pin-file "$work/so" --new-pin-file "$work/new"
export TDE_PIN=oracle:pass:word:1

tde create 1
tde open 1
tde rotate 2
tde open 2

step "the HSM is killed and comes back"
kill -9 "$(cat "$cluster"/zone-a/qhsmd.pid)"
"$QHSM" dev up --dir "$cluster"
tde open 2
tde rotate 3

step "by TCP with TLS alone"
grep -v '^endpoint = unix' "$cluster/client.conf" >"$cluster/tls.conf"
export QHSM_CONF=$cluster/tls.conf
tde open 3
tde rotate 4

step "another PIN, and another user's name"
must_fail '0xa0' env TDE_PIN=oracle:pass:word:2 "$program" open 4 "$work/table"
must_fail "0xa[0-9]" env TDE_PIN=nobody:pass:word:1 "$program" open 4 "$work/table"
