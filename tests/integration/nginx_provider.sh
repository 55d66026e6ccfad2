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
# RFC-less but the provider's own: SEQUENCE { VisibleString "PKCS#11 Provider URI v1.0", UTF8String uri }.
uri_pem() {
    python3 - "$1" <<'PY'
import base64, sys
def tlv(tag, data):
    n = len(data)
    length = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else bytes([0x82, n >> 8, n & 255])
    return bytes([tag]) + length + data
body = tlv(0x1a, b"PKCS#11 Provider URI v1.0") + tlv(0x0c, sys.argv[1].encode())
text = base64.encodebytes(tlv(0x30, body)).decode().replace("\n", "")
print("-----BEGIN PKCS#11 PROVIDER URI-----")
for i in range(0, len(text), 64):
    print(text[i:i + 64])
print("-----END PKCS#11 PROVIDER URI-----")
PY
}
uri_pem "$(uri rsa private)" >"$work/rsa.key"
uri_pem "$(uri ec private)" >"$work/ec.key"
port=$(free_port)
nginx_config "$work/nginx.conf" "$port" "" ""
sed -i "s|\"pkcs11:token=$QHSM_TOKEN;object=\(rsa\|ec\);type=private\"|$work/\1.key|" "$work/nginx.conf"
chmod 0644 "$work/provider.cnf"
export OPENSSL_CONF=$work/provider.cnf
nginx_start "$work/nginx.conf" "$port"
unset OPENSSL_CONF
nginx_try "$port"
