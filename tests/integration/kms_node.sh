#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# AWS's JavaScript SDK and the AWS Encryption SDK: keys, rotation, signatures, agreement, an envelope over 100 MiB, by HTTP and HTTPS.
. "$(dirname "$0")/lib.sh"
need node npm
modules=$QHSM_BUILD/node
if ! cmp -s "$here/node/package.json" "$modules/package.json"; then
    step "install the clients"
    mkdir -p "$modules"
    cp "$here/node/package.json" "$modules/package.json.new"
    (cd "$modules" && mv package.json.new package.json &&
        npm install --silent --no-audit --no-fund --no-package-lock >"$work/npm.log" 2>&1) || {
        tail -5 "$work/npm.log"
        rm -f "$modules/package.json"
        fail "npm install"
    }
fi
cp "$here/node/clients.mjs" "$modules/"
start_cluster
start_kms
step "by HTTP"
node "$modules/clients.mjs" "$QHSM_KMS_ENDPOINT" "$work" 1
step "by HTTPS"
NODE_EXTRA_CA_CERTS=$QHSM_KMS_CA node "$modules/clients.mjs" "$QHSM_KMS_HTTPS" "$work" 100
[ -s "$work/done" ]
