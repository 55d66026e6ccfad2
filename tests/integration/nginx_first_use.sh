#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# nginx workers whose very first handshake falls into the time in which the daemon is down. libp11 opens its session
# and logs in once in a worker; a module that gave up there left it without its keys until nginx was stopped.
. "$(dirname "$0")/lib.sh"
. "$here/nginx.sh"
need nginx curl pkcs11-tool openssl
[ -e "/usr/lib/$(multiarch)/engines-3/pkcs11.so" ] || skip "libp11's engine is not installed"
start_cluster
engine_config "$work/engine.cnf"
nginx_self_signed rsa rsa:2048 01
nginx_self_signed ec EC:prime256v1 02
port=$(free_port)
nginx_config "$work/nginx.conf" "$port" "engine:pkcs11:" "ssl_engine pkcs11;"
chmod 0644 "$work/engine.cnf"
OPENSSL_CONF=$work/engine.cnf nginx -c "$work/nginx.conf" 2>"$work/nginx-start.log"
wait_for 5 test -s "$work/nginx.pid"
pids+=("$(cat "$work/nginx.pid")")

step "the first handshakes of both workers wait for the daemon"
kill -9 "$(cat "$cluster/zone-a/qhsmd.pid")"
seq 8 | xargs -P 8 -I{} curl -sk -m 20 -o /dev/null --fail "https://127.0.0.1:$port/" &
load=$!
sleep 1.5
"$QHSM" dev up --dir "$cluster"
wait "$load" || fail "a handshake failed"

step "100 more"
seq 100 | xargs -P 8 -I{} curl -sk -m 20 -o /dev/null --fail "https://127.0.0.1:$port/" || fail "a handshake failed"
