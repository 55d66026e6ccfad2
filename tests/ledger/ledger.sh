#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The short run of the ledger test: a few rounds of trouble over three zones. tests/soak is the long one.
#   QHSM_BUILD        the build directory (set by ctest)
#   QHSM_LEDGER_SEED  another course of trouble
set -euo pipefail
: "${QHSM_BUILD:?the build directory}"
command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/qhsm-ledger.XXXXXX")
unset OPENSSL_CONF PKCS11_MODULE_PATH QHSM_CONF QHSM_TRACE
export LC_ALL=C
"$(dirname "$0")/ledger" --build "$QHSM_BUILD" --work "$work" --seed "${QHSM_LEDGER_SEED:-1}" --rounds 4 --seconds 6
rm -rf "$work"
