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
tool --list-tokens >"$work/tokens"
grep -q "token=$QHSM_TOKEN" "$work/tokens"
tool --list-mechanisms "$url" >"$work/mechanisms"
grep -q CKM_AES_GCM "$work/mechanisms"

step "generate, list, test-sign"
tool --login --generate-privkey=rsa --bits=2048 --label rsa --id 01 "$url" >/dev/null
tool --login --generate-privkey=ecdsa --curve=secp256r1 --label ec --id 02 "$url" >/dev/null
# GnuTLS 3.7 asks for Ed25519 keys with CKM_EDDSA, a mechanism for signatures, and takes CKA_EC_POINT of one for DER, which
# PKCS#11 3.1 has as plain bytes: such a key is made by our own tool, and listed here.
printf '%s\n' "$QHSM_USER_PIN" >"$work/pin"
"$QHSM" key generate ed25519 --label ed --id 03 --pin-file "$work/pin" >/dev/null
tool --login --list-all "$url" >"$work/list"
for label in rsa ec ed; do
    grep -q "Label: $label" "$work/list" || { cat "$work/list"; fail "no $label"; }
    [ $label = ed ] || tool --login --test-sign "$url;object=$label;type=private"
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
tool --export "$url;object=rsa-cert;type=cert" >"$work/exported.pem"
cmp <(openssl x509 -in "$work/exported.pem" -outform DER) <(openssl x509 -in "$work/rsa.pem" -outform DER)
tool --export-pubkey "$url;object=ec;type=private" --login >"$work/ec.pub"
openssl x509 -in "$work/ec.pem" -noout -pubkey >"$work/ec.cert.pub"
cmp <(openssl pkey -pubin -in "$work/ec.pub" -outform DER) <(openssl pkey -pubin -in "$work/ec.cert.pub" -outform DER)

step "import and delete"
openssl genrsa -out "$work/import.key" 2048 2>/dev/null
tool --login --write --load-privkey "$work/import.key" --label imported --id 09 "$url" >/dev/null
tool --login --test-sign "$url;object=imported;type=private"
tool --login --delete "$url;object=imported" >/dev/null
tool --login --list-all "$url" >"$work/list"
! grep -q imported "$work/list" || fail "it is still there"

# p11-kit reads no user configuration for root: then another user runs it, with a module and a configuration that it may read.
step "the same through p11-kit and its proxy, with the module in the user's own list"
proxy=/usr/lib/$(multiarch)/p11-kit-proxy.so
[ -e "$proxy" ] || fail "p11-kit-proxy.so is not installed (package p11-kit-modules or libp11-kit0)"
home=$work/home
mkdir -p "$home/.config/pkcs11/modules"
cp "$QHSM_MODULE" "$home/module.so"
printf 'module: %s\ncritical: yes\n' "$home/module.so" >"$home/.config/pkcs11/modules/quorumhsm.module"
printf 'user-config: only\n' >"$home/.config/pkcs11/pkcs11.conf"
grep '^endpoint = unix' "$cluster/client.conf" >"$home/client.conf"
chmod -R a+rX "$home"
as_user=(env -u XDG_CONFIG_HOME "HOME=$home" "QHSM_CONF=$home/client.conf")
[ "$(id -u)" -ne 0 ] || as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups "${as_user[@]}")
"${as_user[@]}" p11-kit list-modules >"$work/modules"
grep -q "$home/module.so" "$work/modules" || { cat "$work/modules"; fail "p11-kit does not see the module"; }
grep -q "token: $QHSM_TOKEN" "$work/modules" || { cat "$work/modules"; fail "p11-kit does not see the token"; }
# Without --provider GnuTLS takes the modules that p11-kit knows; other programs load the proxy as their module.
through() { "${as_user[@]}" p11tool --batch "$@"; }
through --list-tokens >"$work/tokens"
grep -q "token=$QHSM_TOKEN" "$work/tokens"
for label in rsa ec; do
    through --login --test-sign "$url;object=$label;type=private"
done
proxied=("${as_user[@]}" pkcs11-tool --module "$proxy" --token-label "$QHSM_TOKEN" --login --pin "$QHSM_USER_PIN")
"${proxied[@]}" --test --allow-sw >"$work/proxy.test" 2>&1 || { cat "$work/proxy.test"; fail "--test through the proxy"; }
grep -q 'No errors' "$work/proxy.test"
"${proxied[@]}" --test-fork
