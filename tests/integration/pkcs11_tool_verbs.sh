#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The verbs of pkcs11-tool: sign, verify, encrypt, decrypt, wrap, unwrap, derive, import, export, tokens and PINs.
. "$(dirname "$0")/lib.sh"
need pkcs11-tool openssl
start_cluster
printf 'some data to sign, quite a bit longer than a block\n' >"$work/data"
head -c 4096 /dev/urandom >"$work/big"

# The tool says so, and exits 0.
refuses() {
    p11_user --verify "$@" >"$work/verified" 2>&1 || true # OpenSC 0.23 exits with 0, 0.26 with 1
    grep -q 'Invalid signature' "$work/verified" || { cat "$work/verified"; fail "not refused: --verify $*"; }
}

# The public key as DER. (--read-object of OpenSC 0.23 fails on curves that are not of 224 or 256 bits: made of what it lists.)
ec_public() { # curve, id, file
    local point
    p11 --list-objects --type pubkey >"$work/listed"
    point=$(awk -v id="$2" '$1 == "EC_POINT:" { point = $2 } $1 == "ID:" && $2 == id { print point }' "$work/listed")
    case $point in 0481*) point=${point:6} ;; *) point=${point:4} ;; esac
    printf 'asn1=SEQUENCE:spki\n[spki]\na=SEQUENCE:algorithm\nkey=FORMAT:HEX,BITSTRING:%s\n[algorithm]\na=OID:id-ecPublicKey\nb=OID:%s\n' \
        "$point" "$1" >"$work/asn1"
    openssl asn1parse -genconf "$work/asn1" -noout -out "$3"
}

# pkcs11-tool finds keys to work with by --id; --label is for listing, reading and deleting.
step "RSA: sign with each scheme, verified by OpenSSL and by the HSM"
p11_user --keypairgen --key-type rsa:2048 --label rsa --id 01 --usage-sign --usage-decrypt --usage-wrap
p11 --read-object --type pubkey --label rsa -o "$work/rsa.der"
openssl pkey -pubin -inform DER -in "$work/rsa.der" -out "$work/rsa.pub"
for digest in 224 256 384 512; do
    p11_user --sign -m "SHA$digest-RSA-PKCS" --id 01 -i "$work/big" -o "$work/sig"
    openssl dgst "-sha$digest" -verify "$work/rsa.pub" -signature "$work/sig" "$work/big"
    p11_user --verify -m "SHA$digest-RSA-PKCS" --id 01 -i "$work/big" --signature-file "$work/sig"
    p11_user --sign -m "SHA$digest-RSA-PKCS-PSS" --id 01 -i "$work/big" -o "$work/sig"
    openssl dgst "-sha$digest" -sigopt rsa_padding_mode:pss -verify "$work/rsa.pub" -signature "$work/sig" "$work/big"
    p11_user --verify -m "SHA$digest-RSA-PKCS-PSS" --id 01 -i "$work/big" --signature-file "$work/sig"
done
refuses -m SHA512-RSA-PKCS-PSS --id 01 -i "$work/data" --signature-file "$work/sig"
printf 'x' >>"$work/sig"
must_fail 'CKR_SIGNATURE_LEN_RANGE' p11_user --verify -m SHA512-RSA-PKCS-PSS --id 01 -i "$work/big" --signature-file "$work/sig"
openssl dgst -sha256 -binary "$work/big" >"$work/digest"
p11_user --sign -m RSA-PKCS-PSS --hash-algorithm SHA256 --mgf MGF1-SHA256 --id 01 -i "$work/digest" -o "$work/sig"
openssl dgst -sha256 -sigopt rsa_padding_mode:pss -verify "$work/rsa.pub" -signature "$work/sig" "$work/big"

step "RSA: decrypt"
openssl pkeyutl -encrypt -pubin -inkey "$work/rsa.pub" -in "$work/data" -out "$work/enc"
p11_user --decrypt -m RSA-PKCS --id 01 -i "$work/enc" -o "$work/dec"
cmp "$work/data" "$work/dec"
openssl pkeyutl -encrypt -pubin -inkey "$work/rsa.pub" -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -in "$work/data" -out "$work/enc"
p11_user --decrypt -m RSA-PKCS-OAEP --hash-algorithm SHA256 --mgf MGF1-SHA256 --id 01 -i "$work/enc" -o "$work/dec"
cmp "$work/data" "$work/dec"

step "EC: sign on every curve, derive"
id=10
for curve in secp224r1 prime256v1 secp384r1 secp521r1 secp256k1; do
    p11_user --keypairgen --key-type "EC:$curve" --label "ec-$curve" --id $id --usage-sign
    ec_public $curve $id "$work/ec.der"
    p11_user --sign -m ECDSA-SHA256 --signature-format openssl --id $id -i "$work/data" -o "$work/sig"
    openssl dgst -sha256 -keyform DER -verify "$work/ec.der" -signature "$work/sig" "$work/data"
    p11_user --sign -m ECDSA-SHA512 --id $id -i "$work/big" -o "$work/sig"
    p11_user --verify -m ECDSA-SHA512 --id $id -i "$work/big" --signature-file "$work/sig"
    id=$((id + 1))
done
p11_user --keypairgen --key-type EC:edwards25519 --label ed --id 1a --usage-sign
p11_user --sign -m EDDSA --id 1a -i "$work/data" -o "$work/sig"
p11_user --verify -m EDDSA --id 1a -i "$work/data" --signature-file "$work/sig"
refuses -m EDDSA --id 1a -i "$work/digest" --signature-file "$work/sig"
p11_user --keypairgen --key-type EC:prime256v1 --label dh --id 1b --usage-derive
openssl ecparam -name prime256v1 -genkey -noout -out "$work/peer.key"
openssl pkey -in "$work/peer.key" -pubout -outform DER -out "$work/peer.der"
p11 --read-object --type pubkey --id 1b -o "$work/dh.der"
ec_public prime256v1 1b "$work/read.der"
cmp "$work/dh.der" "$work/read.der"
openssl pkeyutl -derive -inkey "$work/peer.key" -peerkey "$work/dh.der" -peerform DER -out "$work/secret2"
for mechanism in ECDH1-DERIVE ECDH1-COFACTOR-DERIVE; do
    for form in '' --derive-pass-der; do
        p11_user --derive -m $mechanism $form --id 1b -i "$work/peer.der" -o "$work/secret1"
        cmp "$work/secret1" "$work/secret2"
    done
done

step "AES: encrypt and decrypt"
p11_user --keygen --key-type AES:32 --label aes --id 20 --usage-decrypt
iv=000102030405060708090a0b0c0d0e0f
p11_user --encrypt -m AES-CBC-PAD --iv $iv --id 20 -i "$work/data" -o "$work/enc"
p11_user --decrypt -m AES-CBC-PAD --iv $iv --id 20 -i "$work/enc" -o "$work/dec"
cmp "$work/data" "$work/dec"
for mechanism in AES-CBC AES-CBC-PAD; do
    p11_user --encrypt -m $mechanism --iv $iv --id 20 -i "$work/big" -o "$work/enc"
    p11_user --decrypt -m $mechanism --iv $iv --id 20 -i "$work/enc" -o "$work/dec"
    cmp "$work/big" "$work/dec"
done
p11_user --encrypt -m AES-ECB --id 20 -i "$work/big" -o "$work/enc"
p11_user --decrypt -m AES-ECB --id 20 -i "$work/enc" -o "$work/dec"
cmp "$work/big" "$work/dec"

step "HMAC and digests"
p11_user --keygen --key-type GENERIC:32 --label mac --id 21 --usage-sign
for digest in SHA256 SHA384 SHA512; do
    p11_user --sign -m $digest-HMAC --id 21 -i "$work/big" -o "$work/sig"
    p11_user --verify -m $digest-HMAC --id 21 -i "$work/big" --signature-file "$work/sig"
    refuses -m $digest-HMAC --id 21 -i "$work/data" --signature-file "$work/sig"
    p11 --hash -m $digest -i "$work/big" -o "$work/digest"
    openssl dgst "-${digest,,}" -binary "$work/big" | cmp - "$work/digest"
done

step "import and use"
openssl genrsa -out "$work/own.key" 2048 2>/dev/null
openssl pkey -in "$work/own.key" -outform DER -out "$work/own.der"
openssl pkey -in "$work/own.key" -pubout -out "$work/own.pub"
openssl pkey -in "$work/own.key" -pubout -outform DER -out "$work/own.pub.der"
p11_user --write-object "$work/own.der" --type privkey --label own --id 30 --usage-sign
p11_user --write-object "$work/own.pub.der" --type pubkey --label own --id 30 --usage-sign
p11_user --sign -m SHA256-RSA-PKCS --id 30 -i "$work/data" -o "$work/sig"
openssl dgst -sha256 -verify "$work/own.pub" -signature "$work/sig" "$work/data"
p11_user --verify -m SHA256-RSA-PKCS --id 30 -i "$work/data" --signature-file "$work/sig"
p11 --read-object --type pubkey --id 30 -o "$work/read.der"
cmp "$work/read.der" "$work/own.pub.der"
openssl ecparam -name secp384r1 -genkey -noout -out "$work/own-ec.key"
openssl pkey -in "$work/own-ec.key" -outform DER -out "$work/own-ec.der"
openssl pkey -in "$work/own-ec.key" -pubout -outform DER -out "$work/own-ec.pub.der"
p11_user --write-object "$work/own-ec.der" --type privkey --label own-ec --id 31 --usage-sign
p11_user --write-object "$work/own-ec.pub.der" --type pubkey --label own-ec --id 31 --usage-sign
p11_user --sign -m ECDSA-SHA384 --signature-format openssl --id 31 -i "$work/data" -o "$work/sig"
openssl dgst -sha384 -keyform DER -verify "$work/own-ec.pub.der" -signature "$work/sig" "$work/data"
ec_public secp384r1 31 "$work/read.der"
cmp "$work/read.der" "$work/own-ec.pub.der"
head -c 32 /dev/zero | tr '\0' k >"$work/known"
p11_user --write-object "$work/known" --type secrkey --key-type AES:32 --label known --id 32 --usage-decrypt --usage-wrap --extractable
p11_user --encrypt -m AES-CBC --iv $iv --id 32 -i "$work/big" -o "$work/enc"
openssl enc -aes-256-cbc -nopad -K "$(xxd -p -c 64 "$work/known")" -iv $iv -in "$work/big" | cmp - "$work/enc"
printf 'data object' >"$work/note"
p11_user --write-object "$work/note" --type data --label note --application-label test
p11_user --read-object --type data --label note -o "$work/note.read"
cmp "$work/note" "$work/note.read"
openssl req -new -x509 -key "$work/own.key" -subj /CN=own -days 10 -out "$work/own.pem"
openssl x509 -in "$work/own.pem" -outform DER -out "$work/cert.der"
p11_user --write-object "$work/cert.der" --type cert --label own --id 30
p11 --read-object --type cert --label own -o "$work/cert.read"
cmp "$work/cert.read" "$work/cert.der"

# What was wrapped by one mechanism and unwrapped again is the same key, not one that looks like it.
step "wrap and unwrap"
p11_user --keygen --key-type AES:32 --label target --id 40 --extractable
p11_user --encrypt -m AES-CBC --iv $iv --id 40 -i "$work/big" -o "$work/enc.target"
p11_user --keygen --key-type AES:32 --label kek --id 41 --usage-wrap
next=50
for way in "RSA-PKCS 01" "AES-CBC-PAD 41" "AES-CBC 41" "AES-KEY-WRAP 41"; do
    mechanism=${way% *} wrapper=${way#* }
    p11_user --wrap -m "$mechanism" --iv $iv --id "$wrapper" --application-id 40 -o "$work/wrapped"
    p11_user --unwrap -m "$mechanism" --iv $iv --id "$wrapper" -i "$work/wrapped" --key-type AES: \
        --application-label "again-$mechanism" --application-id $next
    p11_user --encrypt -m AES-CBC --iv $iv --id $next -i "$work/big" -o "$work/enc.again"
    cmp "$work/enc.target" "$work/enc.again"
    next=$((next + 1))
done
openssl pkeyutl -encrypt -pubin -inkey "$work/rsa.pub" -in "$work/known" -out "$work/wrapped"
p11_user --unwrap -m RSA-PKCS --id 01 -i "$work/wrapped" --key-type AES:32 --application-label known-again --application-id 60
p11_user --encrypt -m AES-CBC --iv $iv --id 60 -i "$work/big" -o "$work/enc.again"
openssl enc -aes-256-cbc -nopad -K "$(xxd -p -c 64 "$work/known")" -iv $iv -in "$work/big" | cmp - "$work/enc.again"
p11_user --keygen --key-type AES:16 --label stays --id 42
must_fail 'CKR_KEY_UNEXTRACTABLE' p11_user --wrap -m AES-CBC-PAD --iv $iv --id 41 --application-id 42

step "change an ID, delete"
p11_user --type secrkey --id 42 --set-id 43
p11_user --list-objects --type secrkey >"$work/list" 2>/dev/null
grep -A1 'label: *stays' "$work/list" | grep 'ID: *43'
p11_user --delete-object --type cert --label own
must_fail 'not found|error' p11 --read-object --type cert --label own
p11_user --delete-object --type secrkey --id 43
p11_user --list-objects --type secrkey >"$work/list" 2>/dev/null
! grep -q 'label: *stays' "$work/list" || fail "it is still there"

step "a token made by pkcs11-tool in the free slot"
tool() { pkcs11-tool --module "$QHSM_MODULE" "$@"; }
tool -L >"$work/slots"
slot=$(sed -n 's/^Slot [0-9]* (\(0x[0-9a-f]*\)).*/\1/p' "$work/slots" | tail -1)
tool --slot "$slot" --init-token --label made --so-pin 12345678
tool --token-label made --login --login-type so --so-pin 12345678 --init-pin --new-pin 87654321
tool --token-label made --login --pin 87654321 --list-objects
tool --token-label made --login --pin 87654321 --change-pin --new-pin 11223344
must_fail 'CKR_PIN_INCORRECT' tool --token-label made --login --pin 87654321 --list-objects
tool --token-label made --login --pin 11223344 --list-objects
tool --token-label made --login --login-type so --so-pin 12345678 --change-pin --new-pin 99887766
must_fail 'CKR_PIN_INCORRECT' tool --token-label made --session-rw --login --login-type so --so-pin 12345678 --list-objects
tool --token-label made --login --login-type so --so-pin 99887766 --init-pin --new-pin 55667788
tool --token-label made --login --pin 55667788 --keygen --key-type AES:16 --label gone --id 01
must_fail 'CKR_PIN_INCORRECT' tool --slot "$slot" --init-token --label remade --so-pin 12345678
tool --slot "$slot" --init-token --label remade --so-pin 99887766
tool --token-label remade --login --login-type so --so-pin 99887766 --init-pin --new-pin 87654321
tool --token-label remade --login --pin 87654321 --list-objects >"$work/list" 2>/dev/null
! grep -q 'label: *gone' "$work/list" || fail "an object outlived C_InitToken"

step "fork and threads"
p11_user --test-fork
# By the slot's number: to look for a label it has one buffer for all its threads.
slot=$(sed -n "/^Slot/{s/.*(\(0x[0-9a-f]*\)).*/\1/;h};/token label *: dev\$/{x;p}" "$work/slots")
foreign pkcs11-tool --module "$QHSM_MODULE" --slot "$slot" --login --pin "$QHSM_USER_PIN" \
    --test-threads ILGISLT0 --test-threads ILGISLT0 >"$work/threads" 2>&1 || { cat "$work/threads"; fail "--test-threads"; }
# The last line is of OpenSC 0.23; 0.26 has only one a thread.
grep -q 'all threads have ended with CKR_OK' "$work/threads" ||
    [ "$(grep -c 'returning rv:CKR_OK' "$work/threads")" -eq 2 ] || { cat "$work/threads"; fail "--test-threads"; }

# (OpenSC 0.23 does not even ask for the parts of a private key.)
step "secrets stay inside"
rm -f "$work/leak"
p11_user --read-object --type secrkey --id 41 -o "$work/leak" >"$work/said" 2>&1 || true
grep -q CKR_ATTRIBUTE_SENSITIVE "$work/said" || { cat "$work/said"; fail "the value of a sensitive key was not refused"; }
[ ! -s "$work/leak" ] || fail "the value of a sensitive key came out"
