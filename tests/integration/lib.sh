# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by every integration test: a cluster of its own in a directory of its own, and the words of a test.
#   QHSM_BUILD    the build directory (set by ctest)
#   QHSM_PRELOAD  the sanitizer's runtime of that build, or empty (set by ctest)
# A test is a script of steps; the first that fails ends it, prints the daemon's log and fails the test.
set -euo pipefail

: "${QHSM_BUILD:?the build directory}"
QHSM=$QHSM_BUILD/tools/qhsm
work=$(mktemp -d "${TMPDIR:-/tmp}/qhsm-test.XXXXXX")
chmod 0711 "$work"
cluster=$work/cluster
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LC_ALL=C
unset OPENSSL_CONF PKCS11_MODULE_PATH QHSM_CONF QHSM_TRACE

step_name=start
pids=()

cleanup() {
    local code=$?
    trap - EXIT
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    [ ! -f "$cluster/cluster" ] || "$QHSM" dev down --dir "$cluster" >/dev/null 2>&1 || true
    if [ "$code" -eq 0 ] && grep -qs 'Sanitizer' "$work"/*/zone-*/qhsmd.log; then
        step_name="what the daemon's sanitizer says"
        code=1
    fi
    if [ "$code" -ne 0 ] && [ "$code" -ne 77 ]; then
        printf 'FAILED in step: %s (exit %d)\n' "$step_name" "$code"
        for log in "$cluster"/zone-*/qhsmd.log "$work"/*.log; do
            [ -s "$log" ] || continue
            printf -- '--- %s\n' "${log##*/}"
            tail -n 30 "$log"
        done
    fi
    [ -n "${QHSM_TEST_KEEP:-}" ] || rm -rf "$work"
    exit "$code"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

step() { step_name=$*; printf 'step: %s\n' "$*"; }
fail() { printf 'fail: %s\n' "$*"; exit 1; }
skip() { printf 'skipped: %s\n' "$*"; exit 77; }
need() { for program in "$@"; do command -v "$program" >/dev/null || skip "$program is not installed"; done; }

# The command must fail, and its output must have the pattern in it.
must_fail() { # pattern, command...
    local pattern=$1 output
    shift
    if output=$("$@" 2>&1); then printf '%s\n' "$output"; fail "worked, but should not: $*"; fi
    grep -qE -- "$pattern" <<<"$output" || { printf '%s\n' "$output"; fail "no '$pattern' in the error of: $*"; }
}

# Waits until a command works, at most about the given seconds.
wait_for() { # seconds, command...
    local tries=$(($1 * 20))
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "still not after waiting: $*"
        sleep 0.05
    done
}

start_cluster() {
    step "start a cluster"
    "$QHSM" dev up --dir "$cluster"
    # shellcheck disable=SC1091
    . "$cluster/env"
}

# A program that has not the sanitizer of this build takes its runtime along; what it leaves at its end is its own.
foreign() { LD_PRELOAD=${QHSM_PRELOAD:-} ASAN_OPTIONS=detect_leaks=0 "$@"; }
p11() { foreign pkcs11-tool --module "$QHSM_MODULE" --token-label "$QHSM_TOKEN" "$@"; }
p11_user() { p11 --login --pin "$QHSM_USER_PIN" "$@"; }

uri() { # object, type
    printf 'pkcs11:token=%s;object=%s;type=%s' "$QHSM_TOKEN" "$1" "$2"
}
uri_with_pin() { printf '%s?pin-value=%s' "$(uri "$1" "$2")" "$QHSM_USER_PIN"; }

multiarch() { gcc -print-multiarch 2>/dev/null || dpkg-architecture -qDEB_HOST_MULTIARCH; }

# An openssl.cnf that loads pkcs11-provider with our module; no quirks. (A section called `default` would be the
# one that all others fall back on.)
provider_config() { # file
    cat >"$1" <<EOF
openssl_conf = init
[init]
providers = providers
[providers]
default = default_provider
pkcs11 = pkcs11_provider
[default_provider]
activate = 1
[pkcs11_provider]
module = /usr/lib/$(multiarch)/ossl-modules/pkcs11.so
pkcs11-module-path = $QHSM_MODULE
pkcs11-module-quirks =
pkcs11-module-token-pin = $QHSM_USER_PIN
activate = 1
[req]
distinguished_name = dn
[dn]
EOF
}

# An openssl.cnf that loads libp11's engine with our module.
engine_config() { # file
    cat >"$1" <<EOF
openssl_conf = init
[init]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
engine_id = pkcs11
dynamic_path = /usr/lib/$(multiarch)/engines-3/pkcs11.so
MODULE_PATH = $QHSM_MODULE
PIN = $QHSM_USER_PIN
init = 1
[req]
distinguished_name = dn
[dn]
EOF
}

# A PEM file that names a key in the HSM, which programs over pkcs11-provider read like any key (its own format):
# SEQUENCE { VisibleString "PKCS#11 Provider URI v1.0", UTF8String uri }.
uri_pem() { # URI
    python3 - "$1" <<'PY'
import base64, sys
def tlv(tag, data):
    n = len(data)
    length = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else bytes([0x82, n >> 8, n & 255])
    return bytes([tag]) + length + data
body = tlv(0x1a, b"PKCS#11 Provider URI v1.0") + tlv(0x0c, sys.argv[1].encode())
text = base64.encodebytes(tlv(0x30, body)).decode().replace("\n", "")
print("-----BEGIN PKCS#11 PROVIDER URI-----")
for i in range(0, len(text), 64):
    print(text[i:i + 64])
print("-----END PKCS#11 PROVIDER URI-----")
PY
}

free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
