#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# nginx over pkcs11-provider. The key is named by a PEM file that holds its URI, which nginx reads like any key.
. "$(dirname "$0")/lib.sh"
. "$here/nginx.sh"
need nginx curl pkcs11-tool openssl python3
[ -e "/usr/lib/$(multiarch)/ossl-modules/pkcs11.so" ] || skip "pkcs11-provider is not installed"
start_cluster
engine_config "$work/engine.cnf"
provider_config "$work/provider.cnf"
nginx_self_signed rsa rsa:2048 01
nginx_self_signed ec EC:prime256v1 02
uri_pem "$(uri rsa private)" >"$work/rsa.key"
uri_pem "$(uri ec private)" >"$work/ec.key"
port=$(free_port)
nginx_config "$work/nginx.conf" "$port" "" ""
sed -i "s#\"pkcs11:token=$QHSM_TOKEN;object=\(rsa\|ec\);type=private\"#$work/\1.key#" "$work/nginx.conf"
chmod 0644 "$work/provider.cnf"
export OPENSSL_CONF=$work/provider.cnf
nginx_start "$work/nginx.conf" "$port"
unset OPENSSL_CONF
nginx_try "$port"
nginx_daemon_killed "$port"
