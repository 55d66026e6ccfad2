#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# pkcs11-tool --test with keys of every kind present, its thread and fork tests.
. "$(dirname "$0")/lib.sh"
need pkcs11-tool
start_cluster

step "make keys of every kind"
p11_user --keypairgen --key-type rsa:2048 --label rsa --id 01
p11_user --keypairgen --key-type EC:prime256v1 --label ec --id 02
p11_user --keypairgen --key-type EC:secp384r1 --label ec384 --id 03
p11_user --keypairgen --key-type EC:edwards25519 --label ed --id 04
p11_user --keygen --key-type AES:32 --label aes --id 05
p11_user --keygen --key-type GENERIC:32 --label generic --id 06

step "list them"
p11_user --list-objects >"$work/objects"
for label in rsa ec ec384 ed aes generic; do
    grep -q "label: *$label\$" "$work/objects" || fail "no $label in the list"
done

# Our mechanisms do not claim to be hardware: --allow-sw makes the tool test signatures and unwrapping too.
self_test() { # name, option...
    local name=$1
    shift
    p11_user --test "$@" >"$work/$name" 2>&1 || { cat "$work/$name"; fail "exit of --test $*"; }
    cat "$work/$name"
    grep -q 'No errors' "$work/$name" || fail "errors in --test $*"
    ! grep -qE 'ERR|CKR_' "$work/$name" || fail "errors told by --test $*"
}

step "the self-test of pkcs11-tool"
self_test hardware
self_test software --allow-sw
for word in 'all 4 digest functions seem to work' 'all 4 signature functions seem to work' 'RSA-PKCS-OAEP' 'SHA256-RSA-PKCS: OK'; do
    grep -q -- "$word" "$work/software" || fail "the self-test left out: $word"
done

step "its fork test"
p11_user --test-fork

step "its thread test"
# By the slot's number: to look for a label it has one buffer for all its threads.
p11 -L >"$work/slots" 2>&1
slot=$(sed -n "/^Slot/{s/.*(\(0x[0-9a-f]*\)).*/\1/;h};/token label *: dev\$/{x;p}" "$work/slots")
foreign pkcs11-tool --module "$QHSM_MODULE" --slot "$slot" --login --pin "$QHSM_USER_PIN" --test-threads ILGISLT0 --test-threads ILGISLT0 \
    --test-threads ILGISLT0 >"$work/threads" 2>&1 || { cat "$work/threads"; fail "--test-threads"; }
# The last line is of OpenSC 0.23; 0.26 has only one a thread.
grep -q 'all threads have ended with CKR_OK' "$work/threads" ||
    [ "$(grep -c 'returning rv:CKR_OK' "$work/threads")" -eq 3 ] || { cat "$work/threads"; fail "--test-threads"; }

step "mechanisms are listed, and the random test passes"
p11 --list-mechanisms >"$work/mechanisms"
grep -q SHA256-RSA-PKCS "$work/mechanisms"
p11 --generate-random 32 -o "$work/random"
[ "$(wc -c <"$work/random")" -eq 32 ] || fail "not 32 random bytes"

step "the self-test over TCP with TLS alone"
grep -v '^endpoint = unix' "$cluster/client.conf" >"$cluster/tls.conf"
grep -q '^endpoint = tcp' "$cluster/tls.conf" || fail "client.conf names no TCP endpoint"
export QHSM_CONF=$cluster/tls.conf
self_test tls --allow-sw
p11_user --test-fork
