#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# curl with its client key in the HSM, by engine and by provider, against a server that demands a certificate.
. "$(dirname "$0")/lib.sh"
need curl openssl pkcs11-tool
[ -e "/usr/lib/$(multiarch)/engines-3/pkcs11.so" ] || skip "libp11's engine is not installed"
start_cluster
engine_config "$work/engine.cnf"
p11_user --keypairgen --key-type rsa:2048 --label client --id 01
OPENSSL_CONF=$work/engine.cnf openssl req -new -x509 -engine pkcs11 -keyform engine -key "$(uri client private)" \
    -subj "/CN=client" -days 30 -out "$work/client.pem"
openssl req -new -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/server.key" -subj "/CN=localhost" \
    -days 30 -out "$work/server.pem" 2>/dev/null
port=$(free_port)
openssl s_server -accept "127.0.0.1:$port" -cert "$work/server.pem" -key "$work/server.key" -CAfile "$work/client.pem" \
    -Verify 1 -verify_return_error -www >"$work/server.log" 2>&1 &
pids+=($!)
wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
step "without a certificate the server refuses"
must_fail '' curl -sS --fail --cacert "$work/server.pem" "https://localhost:$port/" --resolve "localhost:$port:127.0.0.1"
get() { # program's environment and more arguments
    env "$1" curl -sS --fail --cacert "$work/server.pem" --cert "$work/client.pem" "${@:2}" "https://localhost:$port/" \
        --resolve "localhost:$port:127.0.0.1" >"$work/page"
    grep -q 'CN *= *client' "$work/page" || fail "the server did not see the client"
}
step "with the key in the HSM, by the engine"
for version in "--tls-max 1.2" --tlsv1.3; do
    # shellcheck disable=SC2086
    get OPENSSL_CONF="$work/engine.cnf" $version --engine pkcs11 --key-type ENG --key "$(uri client private)"
done
step "with the key in the HSM, by the provider"
if [ -e "/usr/lib/$(multiarch)/ossl-modules/pkcs11.so" ]; then
    provider_config "$work/provider.cnf"
    uri_pem "$(uri client private)" >"$work/client.key"
    for version in "--tls-max 1.2" --tlsv1.3; do
        # shellcheck disable=SC2086
        get OPENSSL_CONF="$work/provider.cnf" $version --key "$work/client.key"
    done
else
    echo "pkcs11-provider is not installed"
fi
