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

step "the self-test of pkcs11-tool"
p11_user --test >"$work/test.out" 2>&1 || { cat "$work/test.out"; fail "exit of --test"; }
cat "$work/test.out"
grep -q 'No errors' "$work/test.out" || fail "errors in --test"

step "its fork test"
p11_user --test-fork

step "its thread test"
p11_user --test-threads ILGISLT0 --test-threads ILGISLT0 --test-threads ILGISLT0

step "mechanisms are listed, and the random test passes"
p11 --list-mechanisms | grep -q SHA256-RSA-PKCS
p11 --generate-random 32 | wc -c | grep -qx 32
