#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# nginx in its default mode over libp11's engine: master root, workers another user.
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
export OPENSSL_CONF=$work/engine.cnf
chmod 0644 "$work/engine.cnf"
nginx_start "$work/nginx.conf" "$port"
unset OPENSSL_CONF
nginx_try "$port"
nginx_daemon_killed "$port"
