#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# GnuTLS's p11tool and certtool over the module.
. "$(dirname "$0")/lib.sh"
need p11tool certtool
start_cluster
export GNUTLS_PIN=$QHSM_USER_PIN GNUTLS_SO_PIN=$QHSM_SO_PIN
tool() { p11tool --provider "$QHSM_MODULE" --batch "$@"; }
url="pkcs11:token=$QHSM_TOKEN"

step "tokens and mechanisms"
tool --list-tokens | grep -q "token=$QHSM_TOKEN"
tool --list-mechanisms "$url" | grep -q CKM_AES_GCM

step "generate, list, test-sign"
tool --login --generate-privkey=rsa --bits=2048 --label rsa --id 01 "$url" >/dev/null
tool --login --generate-privkey=ecdsa --curve=secp256r1 --label ec --id 02 "$url" >/dev/null
tool --login --generate-privkey=ed25519 --label ed --id 03 "$url" >/dev/null
tool --login --list-all "$url" >"$work/list"
for label in rsa ec ed; do
    grep -q "Label: $label" "$work/list" || { cat "$work/list"; fail "no $label"; }
    tool --login --test-sign "$url;object=$label;type=private"
done

step "a certificate signed with the key inside, written back, exported"
cat >"$work/template" <<EOF
cn = "localhost"
expiration_days = 30
ca
EOF
for label in rsa ec; do
    certtool --provider "$QHSM_MODULE" --generate-self-signed --template "$work/template" \
        --load-privkey "$url;object=$label;type=private" --load-pubkey "$url;object=$label;type=public" --outfile "$work/$label.pem" 2>/dev/null
    openssl verify -CAfile "$work/$label.pem" "$work/$label.pem"
done
tool --login --write --load-certificate "$work/rsa.pem" --label rsa-cert --id 01 "$url" >/dev/null
tool --export "$url;object=rsa-cert;type=cert" | openssl x509 -noout -subject | grep -q localhost

step "import and delete"
openssl genrsa -out "$work/import.key" 2048 2>/dev/null
tool --login --write --load-privkey "$work/import.key" --label imported --id 09 "$url" >/dev/null
tool --login --test-sign "$url;object=imported;type=private"
tool --login --delete "$url;object=imported" >/dev/null
! tool --login --list-all "$url" | grep -q imported || fail "it is still there"
