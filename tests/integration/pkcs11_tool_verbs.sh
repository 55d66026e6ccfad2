#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The verbs of pkcs11-tool: sign, verify, encrypt, decrypt, wrap, unwrap, derive, import, export, tokens and PINs.
. "$(dirname "$0")/lib.sh"
need pkcs11-tool openssl
start_cluster
printf 'some data to sign, quite a bit longer than a block\n' >"$work/data"
head -c 4096 /dev/urandom >"$work/big"

step "RSA: sign with each scheme, verified by OpenSSL and by the HSM"
p11_user --keypairgen --key-type rsa:2048 --label rsa --id 01 --usage-sign --usage-decrypt
p11 --read-object --type pubkey --label rsa -o "$work/rsa.der"
openssl pkey -pubin -inform DER -in "$work/rsa.der" -out "$work/rsa.pub"
for digest in 224 256 384 512; do
    p11_user --sign -m "SHA$digest-RSA-PKCS" --label rsa -i "$work/big" -o "$work/sig"
    openssl dgst "-sha$digest" -verify "$work/rsa.pub" -signature "$work/sig" "$work/big"
    p11_user --verify -m "SHA$digest-RSA-PKCS" --label rsa -i "$work/big" --signature-file "$work/sig"
    p11_user --sign -m "SHA$digest-RSA-PKCS-PSS" --label rsa -i "$work/big" -o "$work/sig"
    openssl dgst "-sha$digest" -sigopt rsa_padding_mode:pss -verify "$work/rsa.pub" -signature "$work/sig" "$work/big"
done
printf 'x' >>"$work/sig"
must_fail 'CKR_SIGNATURE_LEN_RANGE' p11_user --verify -m SHA512-RSA-PKCS-PSS --label rsa -i "$work/big" --signature-file "$work/sig"

step "RSA: decrypt"
openssl pkeyutl -encrypt -pubin -inkey "$work/rsa.pub" -in "$work/data" -out "$work/enc"
p11_user --decrypt -m RSA-PKCS --label rsa -i "$work/enc" -o "$work/dec"
cmp "$work/data" "$work/dec"
openssl pkeyutl -encrypt -pubin -inkey "$work/rsa.pub" -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -in "$work/data" -out "$work/enc"
p11_user --decrypt -m RSA-PKCS-OAEP --hash-algorithm SHA256 --mgf MGF1-SHA256 --label rsa -i "$work/enc" -o "$work/dec"
cmp "$work/data" "$work/dec"

step "EC: sign on every curve, derive"
for curve in secp224r1 prime256v1 secp384r1 secp521r1 secp256k1; do
    p11_user --keypairgen --key-type "EC:$curve" --label "ec-$curve" --id 02 --usage-sign
    p11 --read-object --type pubkey --label "ec-$curve" -o "$work/ec.der"
    p11_user --sign -m ECDSA-SHA256 --signature-format openssl --label "ec-$curve" -i "$work/data" -o "$work/sig"
    openssl dgst -sha256 -keyform DER -verify "$work/ec.der" -signature "$work/sig" "$work/data"
done
p11_user --keypairgen --key-type EC:prime256v1 --label dh --id 03 --usage-derive
openssl ecparam -name prime256v1 -genkey -noout -out "$work/peer.key"
openssl pkey -in "$work/peer.key" -pubout -outform DER -out "$work/peer.der"
p11 --read-object --type pubkey --label dh -o "$work/dh.der"
p11_user --derive -m ECDH1-DERIVE --label dh -i "$work/peer.der" -o "$work/secret1"
openssl pkeyutl -derive -inkey "$work/peer.key" -peerkey "$work/dh.der" -peerform DER -out "$work/secret2"
cmp "$work/secret1" "$work/secret2"

step "AES: encrypt and decrypt"
p11_user --keygen --key-type AES:32 --label aes --id 05 --usage-decrypt
iv=000102030405060708090a0b0c0d0e0f
p11_user --encrypt -m AES-CBC-PAD --iv $iv --label aes -i "$work/data" -o "$work/enc"
p11_user --decrypt -m AES-CBC-PAD --iv $iv --label aes -i "$work/enc" -o "$work/dec"
cmp "$work/data" "$work/dec"
p11_user --encrypt -m AES-CBC --iv $iv --label aes -i "$work/big" -o "$work/enc"
p11_user --decrypt -m AES-CBC --iv $iv --label aes -i "$work/enc" -o "$work/dec"
cmp "$work/big" "$work/dec"

step "import and use"
openssl genrsa -out "$work/own.key" 2048 2>/dev/null
openssl pkey -in "$work/own.key" -outform DER -out "$work/own.der"
openssl pkey -in "$work/own.key" -pubout -out "$work/own.pub"
p11_user --write-object "$work/own.der" --type privkey --label own --id 06 --usage-sign
p11_user --sign -m SHA256-RSA-PKCS --label own -i "$work/data" -o "$work/sig"
openssl dgst -sha256 -verify "$work/own.pub" -signature "$work/sig" "$work/data"
head -c 32 /dev/zero | tr '\0' k >"$work/known"
p11_user --write-object "$work/known" --type secrkey --key-type AES:32 --label known --id 07 --usage-decrypt --usage-wrap --extractable
p11_user --encrypt -m AES-CBC --iv $iv --label known -i "$work/big" -o "$work/enc"
openssl enc -aes-256-cbc -nopad -K "$(xxd -p -c 64 "$work/known")" -iv $iv -in "$work/big" | cmp - "$work/enc"
printf 'data object' | p11_user --write-object /dev/stdin --type data --label note --application-label test
p11_user --read-object --type data --label note | grep -qx 'data object'
openssl req -new -x509 -key "$work/own.key" -subj /CN=own -days 10 -out "$work/own.pem"
openssl x509 -in "$work/own.pem" -outform DER -out "$work/cert.der"
p11_user --write-object "$work/cert.der" --type cert --label own --id 06
p11 --read-object --type cert --label own | cmp - "$work/cert.der"

step "wrap and unwrap"
p11_user --keygen --key-type AES:32 --label target --id 08 --extractable
p11_user --wrap -m RSA-PKCS --id 01 --application-id 08 -o "$work/wrapped" || p11_user --wrap -m AES-CBC-PAD --iv $iv --id 07 --application-id 08 -o "$work/wrapped"
[ -s "$work/wrapped" ]

step "delete"
p11_user --delete-object --type cert --label own
must_fail 'not found|error' p11 --read-object --type cert --label own

step "a token made by pkcs11-tool in the free slot"
slot=$(pkcs11-tool --module "$QHSM_MODULE" -L | sed -n 's/^Slot [0-9]* (\(0x[0-9a-f]*\)).*/\1/p' | tail -1)
pkcs11-tool --module "$QHSM_MODULE" --slot "$slot" --init-token --label made --so-pin 12345678
pkcs11-tool --module "$QHSM_MODULE" --token-label made --login --login-type so --so-pin 12345678 --init-pin --new-pin 87654321
pkcs11-tool --module "$QHSM_MODULE" --token-label made --login --pin 87654321 --list-objects
pkcs11-tool --module "$QHSM_MODULE" --token-label made --login --pin 87654321 --change-pin --new-pin 11223344
must_fail 'CKR_PIN_INCORRECT' pkcs11-tool --module "$QHSM_MODULE" --token-label made --login --pin 87654321 --list-objects
pkcs11-tool --module "$QHSM_MODULE" --token-label made --login --pin 11223344 --list-objects

step "secrets stay inside"
must_fail 'CKR_ATTRIBUTE_SENSITIVE|sensitive|not' p11_user --read-object --type privkey --label rsa
