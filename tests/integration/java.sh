#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Java's SunPKCS11: keytool, jarsigner, and a program that uses every service that the provider offers over the module.
. "$(dirname "$0")/lib.sh"
need java javac keytool jarsigner jar
start_cluster
slot=$("$QHSM" token show -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["slot"])')
# KeyAgreement.generateSecret() reads the derived secret out, which ours keep in unless asked for.
cat >"$work/pkcs11.cfg" <<EOF
name = QuorumHSM
library = $QHSM_MODULE
slot = $slot
attributes(*,CKO_PRIVATE_KEY,CKK_EC) = { CKA_SIGN = true CKA_DERIVE = true }
attributes(generate,CKO_SECRET_KEY,CKK_GENERIC_SECRET) = { CKA_SENSITIVE = false CKA_EXTRACTABLE = true }
EOF
store=(-keystore NONE -storetype PKCS11 -storepass "$QHSM_USER_PIN" -providerclass sun.security.pkcs11.SunPKCS11 -providerarg "$work/pkcs11.cfg")

step "keytool makes keys with certificates in the HSM"
keytool "${store[@]}" -genkeypair -alias java-rsa -keyalg RSA -keysize 2048 -dname CN=java-rsa -validity 30
keytool "${store[@]}" -genkeypair -alias java-ec -keyalg EC -groupname secp256r1 -dname CN=java-ec -validity 30
keytool "${store[@]}" -list >"$work/list"
grep -q java-rsa "$work/list"
grep -q java-ec "$work/list"
keytool "${store[@]}" -certreq -alias java-ec | openssl req -verify -noout

step "jarsigner signs and verifies"
echo content >"$work/file"
(cd "$work" && jar cf app.jar file)
for alias in java-rsa java-ec; do
    jarsigner "${store[@]}" -signedjar "$work/$alias.jar" "$work/app.jar" "$alias" >"$work/jarsigner.log"
    jarsigner -verify "$work/$alias.jar" >"$work/jarsigner.log"
    grep -q 'jar verified' "$work/jarsigner.log"
done

step "every service of the provider"
javac -d "$work" "$here/Services.java"
java -cp "$work" Services "$work/pkcs11.cfg" "$QHSM_USER_PIN" >"$work/services.out" 2>&1 || { cat "$work/services.out"; fail "Services"; }
tail -n 1 "$work/services.out"
