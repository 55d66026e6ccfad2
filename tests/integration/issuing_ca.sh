#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An issuing CA: openssl ca with the CA's key inside the HSM; issue, revoke, CRL.
. "$(dirname "$0")/lib.sh"
need openssl pkcs11-tool
[ -e "/usr/lib/$(multiarch)/ossl-modules/pkcs11.so" ] || skip "pkcs11-provider is not installed"
start_cluster
provider_config "$work/provider.cnf"
p11_user --keypairgen --key-type EC:secp384r1 --label ca --id 01
mkdir -p "$work/ca/new"
: >"$work/ca/index.txt"
echo 1000 >"$work/ca/serial"
echo 1000 >"$work/ca/crlnumber"
cat >>"$work/provider.cnf" <<EOF
[ca]
default_ca = hsm_ca
[hsm_ca]
dir = $work/ca
database = $work/ca/index.txt
new_certs_dir = $work/ca/new
serial = $work/ca/serial
crlnumber = $work/ca/crlnumber
certificate = $work/ca/ca.pem
private_key = $(uri ca private)
default_md = sha384
default_days = 30
default_crl_days = 7
policy = any
unique_subject = no
[any]
commonName = supplied
[ca_ext]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
EOF
hsm() { OPENSSL_CONF=$work/provider.cnf openssl "$@"; }

step "the CA's certificate"
hsm req -new -x509 -key "$(uri ca private)" -subj "/CN=Issuing CA" -days 365 -extensions ca_ext -out "$work/ca/ca.pem"
step "issue, three leaves"
for name in one two three; do
    openssl req -new -newkey rsa:2048 -nodes -keyout "$work/$name.key" -subj "/CN=$name" -out "$work/$name.csr" 2>/dev/null
    hsm ca -batch -in "$work/$name.csr" -out "$work/$name.pem" -notext
    openssl verify -CAfile "$work/ca/ca.pem" "$work/$name.pem"
done
step "revoke one, publish the list"
hsm ca -batch -revoke "$work/two.pem"
hsm ca -batch -gencrl -out "$work/crl.pem"
openssl crl -in "$work/crl.pem" -CAfile "$work/ca/ca.pem" -noout
must_fail 'revoked' openssl verify -crl_check -CAfile "$work/ca/ca.pem" -CRLfile "$work/crl.pem" "$work/two.pem"
openssl verify -crl_check -CAfile "$work/ca/ca.pem" -CRLfile "$work/crl.pem" "$work/one.pem"
step "the CA's key cannot be read"
must_fail 'unsupported' hsm pkey -in "$(uri ca private)" -outform DER -out "$work/ca.der"
[ ! -s "$work/ca.der" ] || fail "a key was written"
(umask 077; printf '%s\n' "$QHSM_USER_PIN" >"$work/pin")
"$QHSM" key list --pin-file "$work/pin" >"$work/keys"
handle=$(awk '$2 == "private-key" { print $1 }' "$work/keys")
"$QHSM" key show "$handle" --pin-file "$work/pin" >"$work/shown"
grep -q '^CKA_ALWAYS_SENSITIVE  *true' "$work/shown" || fail "the key is not sensitive"
grep -q '^CKA_NEVER_EXTRACTABLE  *true' "$work/shown" || fail "the key is extractable"
! grep -q '^CKA_VALUE' "$work/shown" || fail "the key's value is shown"
