#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# OpenSSL through libp11's engine: sign, decrypt, requests, certificates, CMS, a server.
. "$(dirname "$0")/lib.sh"
need openssl pkcs11-tool
[ -e "/usr/lib/$(multiarch)/engines-3/pkcs11.so" ] || skip "libp11's engine is not installed"
start_cluster
engine_config "$work/engine.cnf"
p11_user --keypairgen --key-type rsa:2048 --label rsa --id 01
p11_user --keypairgen --key-type EC:prime256v1 --label ec --id 02
printf 'some data to sign\n' >"$work/data"
openssl dgst -sha256 -binary "$work/data" >"$work/digest"
hsm() { local verb=$1; shift; OPENSSL_CONF=$work/engine.cnf openssl "$verb" -engine pkcs11 "$@" 2> >(grep -v 'Engine "pkcs11" set' >&2); }

step "public keys, signatures"
for key in rsa ec; do
    hsm pkey -inform engine -in "$(uri $key public)" -pubin -pubout -out "$work/$key.pub"
    hsm dgst -keyform engine -sha256 -sign "$(uri $key private)" -out "$work/$key.sig" "$work/data"
    openssl dgst -sha256 -verify "$work/$key.pub" -signature "$work/$key.sig" "$work/data"
    hsm pkeyutl -keyform engine -sign -inkey "$(uri $key private)" -pkeyopt digest:sha256 -in "$work/digest" -out "$work/$key.sig"
    openssl pkeyutl -verify -pubin -inkey "$work/$key.pub" -pkeyopt digest:sha256 -in "$work/digest" -sigfile "$work/$key.sig"
done
hsm dgst -keyform engine -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -sign "$(uri rsa private)" \
    -out "$work/pss.sig" "$work/data"
openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -verify "$work/rsa.pub" \
    -signature "$work/pss.sig" "$work/data"

step "decrypt"
for padding in pkcs1 oaep; do
    openssl pkeyutl -encrypt -pubin -inkey "$work/rsa.pub" -pkeyopt rsa_padding_mode:$padding -in "$work/data" -out "$work/enc"
    hsm pkeyutl -keyform engine -decrypt -inkey "$(uri rsa private)" -pkeyopt rsa_padding_mode:$padding -in "$work/enc" \
        -out "$work/dec"
    cmp "$work/data" "$work/dec"
done

step "req, x509, cms"
for key in rsa ec; do
    hsm req -new -keyform engine -key "$(uri $key private)" -subj "/CN=$key" -out "$work/$key.csr"
    openssl req -verify -in "$work/$key.csr" -noout
    hsm req -new -x509 -keyform engine -key "$(uri $key private)" -subj "/CN=$key" -days 30 -addext basicConstraints=critical,CA:TRUE -out "$work/$key.pem"
    openssl verify -CAfile "$work/$key.pem" "$work/$key.pem"
done
hsm x509 -req -in "$work/ec.csr" -CA "$work/rsa.pem" -CAkeyform engine -CAkey "$(uri rsa private)" -days 10 -out "$work/issued.pem"
openssl verify -CAfile "$work/rsa.pem" "$work/issued.pem"
hsm cms -sign -nodetach -in "$work/data" -signer "$work/rsa.pem" -keyform engine -inkey "$(uri rsa private)" -outform PEM -out "$work/signed.cms"
openssl cms -verify -in "$work/signed.cms" -inform PEM -CAfile "$work/rsa.pem" -out /dev/null

step "s_server"
for key in rsa ec; do
    port=$(free_port)
    OPENSSL_CONF=$work/engine.cnf openssl s_server -engine pkcs11 -accept "127.0.0.1:$port" -cert "$work/$key.pem" \
        -keyform engine -key "$(uri $key private)" -www >"$work/s_server.log" 2>&1 &
    server=$!
    pids+=("$server")
    wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
    openssl s_client -connect "127.0.0.1:$port" -CAfile "$work/$key.pem" -verify_return_error </dev/null \
        >"$work/s_client.out" 2>&1 || { cat "$work/s_client.out"; fail "handshake $key"; }
    kill "$server"
    wait "$server" 2>/dev/null || true
done
