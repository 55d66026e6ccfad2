#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The module in processes that fork, exit, unload it, initialise it twice, run 64 threads and lose their HSM, by Unix socket
# and by TCP with TLS; in each it is silent.
. "$(dirname "$0")/lib.sh"
program=$QHSM_BUILD/tests/integration/process
export PROCESS_SECONDS=3 PROCESS_READY=$work/ready
start_cluster
grep -v '^endpoint = tcp' "$cluster/client.conf" >"$cluster/unix.conf"
grep -v '^endpoint = unix' "$cluster/client.conf" >"$cluster/tls.conf"

# What the process leaves to its end, or to an OpenSSL that has cleaned up, is no leak.
run() { # case
    step "$endpoint: $1"
    local ASAN_OPTIONS=${ASAN_OPTIONS:-}
    case $1 in exits-*) ASAN_OPTIONS+=:detect_leaks=0 ;; esac
    export ASAN_OPTIONS
    "$program" "$1" >"$work/said" 2>&1 || { cat "$work/said"; fail "$1 by $endpoint"; }
    [ ! -s "$work/said" ] || { cat "$work/said"; fail "$1 by $endpoint was not silent"; }
}

outlive() {
    step "$endpoint: outlives-its-hsm"
    rm -f "$work/ready" "$work/go"
    mkfifo "$work/go"
    "$program" outlives-its-hsm <"$work/go" >"$work/said" 2>&1 &
    local pid=$!
    exec 7>"$work/go"
    wait_for 30 test -e "$work/ready"
    "$QHSM" dev down --dir "$cluster"
    "$QHSM" dev up --dir "$cluster"
    echo go >&7
    exec 7>&-
    wait "$pid" || { cat "$work/said"; fail "outlives-its-hsm by $endpoint"; }
    [ ! -s "$work/said" ] || { cat "$work/said"; fail "outlives-its-hsm by $endpoint was not silent"; }
}

endpoint=unix
export QHSM_CONF=$cluster/unix.conf
run make
for endpoint in unix tls; do
    QHSM_CONF=$cluster/$endpoint.conf
    for case in forks exits-after-libcrypto exits-without-a-word exits-by-destructor unloads initializes-in-every-way \
        threads leaves-its-surroundings; do
        run "$case"
    done
    outlive
done
