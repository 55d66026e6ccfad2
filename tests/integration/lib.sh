# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by every integration test: a cluster of its own in a directory of its own, and the words of a test.
#   QHSM_BUILD    the build directory (set by ctest)
#   QHSM_PRELOAD  the sanitizer's runtime of that build, or empty (set by ctest)
#   QHSM_DEV_PATIENCE  how many times as long as usual elections, clients and wait_for wait (set by ctest, for sanitizers)
# A test is a script of steps; the first that fails ends it, prints the daemon's log and fails the test.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # nginx, apache2, ip are there, which an ordinary user's PATH lacks

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

# The number of a process that ended may be another test's by now.
ours() { # pid
    grep -qs "^PPid:[[:space:]]*$$\$" "/proc/$1/status" || grep -qsaF -- "$work" "/proc/$1/cmdline" "/proc/$1/environ"
}

# A daemon that was told to end ends; what else a test left in the background is not waited for.
ends() { # pid
    local tries=200
    while ours "$1" && [ "$(cat "/proc/$1/comm" 2>/dev/null)" = qhsmd ] && ! grep -qs '^State:.*Z' "/proc/$1/status"; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then kill -KILL "$1"; return 1; fi
        sleep 0.1
    done
}

cleanup() {
    local code=$?
    trap - EXIT
    for pid in "${pids[@]}"; do ours "$pid" && kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do
        ends "$pid" && continue
        [ "$code" -ne 0 ] || step_name="a daemon that does not end when it is told to"
        [ "$code" -ne 0 ] || code=1
    done
    for file in "$work"/*/cluster; do
        [ ! -f "$file" ] || "$QHSM" dev down --dir "${file%/cluster}" >/dev/null 2>&1 || true
    done
    if [ "$code" -eq 0 ] && grep -qs 'Sanitizer' "$work"/*/zone-*/qhsmd.log "$work"/*/kms/*.log; then
        step_name="what the daemon's sanitizer says"
        code=1
    fi
    if [ "$code" -ne 0 ] && [ "$code" -ne 77 ]; then
        printf 'FAILED in step: %s (exit %d)\n' "$step_name" "$code"
        for log in "$cluster"/zone-*/qhsmd.log "$cluster"/kms/*.log "$work"/*.log; do
            [ -s "$log" ] || continue
            printf -- '--- %s\n' "${log##*/}"
            tail -n 30 "$log"
        done
        printf 'FAILED in step: %s: %s\n' "$step_name" "${failed_at:-}"
        [ ! -s "$work/why" ] || tail -n 20 "$work/why"
    fi
    [ -n "${QHSM_TEST_KEEP:-}" ] || rm -rf "$work"
    exit "$code"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
# Said again after the logs, which may be long.
set -E
trap 'failed_at="${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND"' ERR

step() { step_name=$*; printf 'step: %s\n' "$*"; }
fail() { printf 'fail: %s\n' "$*" | tee -a "$work/why" >&2; exit 1; }
skip() { printf 'skipped: %s\n' "$*"; exit 77; }
need() { for program in "$@"; do command -v "$program" >/dev/null || skip "$program is not installed"; done; }

# The command must fail, and its output must have the pattern in it.
must_fail() { # pattern, command...
    local pattern=$1 output
    shift
    if output=$("$@" 2>&1); then printf '%s\n' "$output" | tee -a "$work/why"; fail "worked, but should not: $*"; fi
    grep -qE -- "$pattern" <<<"$output" ||
        { printf '%s\n' "$output" | tee -a "$work/why"; fail "no '$pattern' in the error of: $*"; }
}

# Waits until a command works: the given seconds on a machine that has the time, three times as long on one that has not.
patience=${QHSM_DEV_PATIENCE:-1}
wait_for() { # seconds, command...
    local end=$((SECONDS + 3 * $1 * patience))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "still not after waiting: $*"
        sleep 0.05
    done
}

now_ms() { date +%s%3N; }
# What a Python expression makes of the JSON document on standard input, which it calls d.
json() { python3 -c "import json,sys; d=json.load(sys.stdin); print($1)"; }
# The zone whose HSM leads, as soon as one does.
leading_zone() {
    local zone=
    has_leader() { zone=$("$QHSM" cluster status -o json | json '[h["zone"] for h in d if h["leader"]][0]'); }
    wait_for 10 has_leader
    printf '%s\n' "$zone"
}
# With the client configuration of that zone's HSM alone.
in_zone() { # zone, command...
    (
        # shellcheck disable=SC1090
        . "$cluster/env.$1"
        shift
        "$@"
    )
}

start_cluster() {
    step "start a cluster"
    "$QHSM" dev up --dir "$cluster"
    # shellcheck disable=SC1091
    . "$cluster/env"
}

# An HSM beside development clusters, in a directory of its own: unlock key, qhsmd.conf, and client.conf of its administrator.
make_hsm() { # directory, zone, cluster's UUID, further lines of qhsmd.conf...
    local dir=$1
    mkdir -m 0711 "$dir"
    (umask 077 && head -c 32 /dev/urandom >"$dir/unlock.key")
    cat >"$dir/qhsmd.conf" <<CONF
zone = $2
cluster = $3
state_dir = state
unlock_key = unlock.key
listen_unix = qhsmd.sock
listen_tcp = 127.0.0.1:$(free_port)
listen_peer = 127.0.0.1:$(free_port)
ca = ca.pem
cert = node.pem
key = node.key
heartbeat_ms = 100
election_ms = $((500 * patience))
CONF
    shift 3
    [ "$#" -eq 0 ] || printf '%s\n' "$@" >>"$dir/qhsmd.conf"
    printf 'endpoint = unix:%s/qhsmd.sock\ncall_timeout_ms = %d\n' "$dir" $((10000 * patience)) >"$dir/client.conf"
}
# Its daemon, as $hsm_pid.
run_hsm() { # directory
    "$QHSM_BUILD/cluster/qhsmd" --config "$1/qhsmd.conf" >>"$work/${1##*/}.log" 2>&1 &
    hsm_pid=$!
    pids+=("$hsm_pid")
}
# One that is a new cluster, formed: its CA is in the directory, the shares of its backup key are in $work/NAME.shares.
form_hsm() { # directory
    make_hsm "$1" new "$(new_uuid)" 'node = 1' 'bootstrap = yes'
    "$QHSM" cluster init --daemon-config "$1/qhsmd.conf" >/dev/null
    run_hsm "$1"
    wait_for 20 "$QHSM" status --config "$1/client.conf"
    QHSM_CONF=$1/client.conf "$QHSM" cluster init --daemon-config "$1/qhsmd.conf" --out "$work/${1##*/}.shares" >/dev/null
}
new_uuid() { python3 -c 'import uuid; print(uuid.uuid4())'; }

# A KMS front end beside it, without quotas, which a quick machine would use up. Debian's programs of AWS, whatever else is on
# the machine; what they have of their own is not read.
start_kms() { # options of kms up...
    step "start the KMS front end"
    "$QHSM" kms up --dir "$cluster" --fast-time --no-throttle "$@"
    # shellcheck disable=SC1091
    . "$cluster/env"
    export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true AWS_PAGER=
}
aws() {
    if [ -S "$work/aws.socket" ]; then "$QHSM_BUILD/tests/integration/aws_client" "$work/aws.socket" "$@"; else /usr/bin/aws "$@"; fi
}
kms_output=json
kms() { aws --endpoint-url "$QHSM_KMS_ENDPOINT" --output "$kms_output" kms "$@"; }
# For tests with many calls: the same, started once (aws_server.py). Where that does not work each call starts it.
start_aws() {
    /usr/bin/python3 "$here/aws_server.py" "$work/aws.socket" >"$work/aws.log" 2>&1 &
    pids+=($!)
    while [ ! -S "$work/aws.socket" ] && kill -0 $! 2>/dev/null; do sleep 0.05; done
}
restart_kms() {
    "$QHSM" kms down --dir "$cluster"
    "$QHSM" kms up --dir "$cluster" >/dev/null
}
# Another front end of the cluster; its endpoint is $second.
start_second_kms() { # options of kms up...
    "$QHSM" kms up --dir "$cluster" --name second "$@" >"$work/second"
    second=$(sed -n 's/.*--endpoint-url \([^ ]*\) .*/\1/p' "$work/second")
}
# The lines of a client.conf that say who the client is.
by_certificate() { # directory of the cluster's ca.pem, path of the certificate without .pem
    printf 'ca = %s/ca.pem\ncert = %s.pem\nkey = %s.key\n' "$1" "$2" "$2"
}
# With Debian's boto3.
boto() { /usr/bin/python3 "$@"; }

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

# A certificate of a CA (STEM.pem and STEM.key) with what the request asks for, also one that has ended: openssl x509
# refuses that since 3.4.
certify() { # CA, request, certificate, from, to (YYYYMMDDhhmmssZ)
    local dir=$work/certify
    mkdir -p "$dir"
    : >"$dir/index"
    cat >"$dir/conf" <<EOF
[ca]
default_ca = default
[default]
database = $dir/index
new_certs_dir = $dir
default_md = sha256
rand_serial = yes
copy_extensions = copyall
preserve = yes
policy = any
[any]
commonName = supplied
organizationName = optional
EOF
    openssl ca -config "$dir/conf" -batch -notext -cert "$1.pem" -keyfile "$1.key" -in "$2" -out "$3" \
        -startdate "$4" -enddate "$5" 2>"$dir/log" || { cat "$dir/log" >&2; return 1; }
}
days_from_now() { date -u -d "$1 days" +%Y%m%d%H%M%SZ; }

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

# As qhsm dev up takes them (tools/dev_port.c): below the range of connections that go out, and in turn, since a daemon
# of another test that had it a moment ago may be down.
free_port() {
    python3 - <<'PY'
import fcntl, os, socket
path = os.path.expanduser("~/.local/state/qhsm/next-port")
os.makedirs(os.path.dirname(path), exist_ok=True)
while True:
    with open(path, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        number = int(file.readline() or "0") % 10000
        file.truncate(0)
        print("%05d" % ((number + 1) % 10000), file=file, flush=True)
    try:
        with socket.socket() as port, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taken:
            taken.bind("\0qhsm-port-%d" % (15000 + number)) # a unit suite's
            port.bind(("127.0.0.1", 15000 + number))
        break
    except OSError:
        pass
print(15000 + number)
PY
}
