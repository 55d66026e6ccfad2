#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# TLS under fire: nginx in default mode (master root, workers another user), its RSA and EC keys in a cluster of three zones.
# Clients make new connections all the time, while one zone is killed with -9, another one paused, then both healed, twice,
# with the roles changed. No handshake may fail.
#   tls_under_fire.sh [engine|provider] [SECONDS]   how nginx reaches the keys; how long each piece of trouble lasts
. "$(dirname "$0")/lib.sh"
. "$here/nginx.sh"
way=${1:-engine}
seconds=${2:-${QHSM_FIRE_SECONDS:-1.5}}
need nginx curl pkcs11-tool openssl python3 wrk
case $way in
engine) [ -e "/usr/lib/$(multiarch)/engines-3/pkcs11.so" ] || skip "libp11's engine is not installed" ;;
provider) [ -e "/usr/lib/$(multiarch)/ossl-modules/pkcs11.so" ] || skip "pkcs11-provider is not installed" ;;
*) fail "engine or provider, not $way" ;;
esac

step "a cluster of three zones, nginx in zone a"
"$QHSM" dev up --dir "$cluster" --zones 3
# shellcheck disable=SC1091
. "$cluster/env"
{ printf 'zone = a\n'; cat "$cluster/client.conf"; } >"$cluster/near.conf"
export QHSM_CONF=$cluster/near.conf
chaos() { "$QHSM" chaos "$@" --dir "$cluster"; }
all_well() { "$QHSM" cluster status -o json | json 'len(d) == 3 and all(n["health"] == "ok" and n["lag"] < 100 for n in d)' | grep -qx True; }
engine_config "$work/engine.cnf"
nginx_self_signed rsa rsa:2048 01 >/dev/null
nginx_self_signed ec EC:prime256v1 02 >/dev/null
cat "$work/rsa.pem" "$work/ec.pem" >"$work/both.pem"
port=$(free_port)
if [ "$way" = engine ]; then
    nginx_config "$work/nginx.conf" "$port" "engine:pkcs11:" "ssl_engine pkcs11;"
    export OPENSSL_CONF=$work/engine.cnf
else
    provider_config "$work/provider.cnf"
    uri_pem "$(uri rsa private)" >"$work/rsa.key"
    uri_pem "$(uri ec private)" >"$work/ec.key"
    nginx_config "$work/nginx.conf" "$port" "" ""
    sed -i "s#\"pkcs11:token=$QHSM_TOKEN;object=\(rsa\|ec\);type=private\"#$work/\1.key#" "$work/nginx.conf"
    export OPENSSL_CONF=$work/provider.cnf
fi
chmod 0644 "$work"/*.cnf
nginx_start "$work/nginx.conf" "$port"
unset OPENSSL_CONF

# Handshakes one after the other until told to stop; a line each: time, what came of it, how long it took.
handshakes() { # file, curl's options
    local out=$1
    shift
    while [ ! -e "$work/enough" ]; do
        curl -s --cacert "$work/both.pem" --resolve "localhost:$port:127.0.0.1" -m 15 -o /dev/null "$@" \
            -w '%{http_code} %{time_appconnect} %{errormsg}\n' "https://localhost:$port/" >>"$out" || true
    done
}
for i in 1 2; do
    handshakes "$work/tls13.$i" --tlsv1.3 &
    handshakes "$work/rsa12.$i" --tls-max 1.2 --ciphers ECDHE-RSA-AES128-GCM-SHA256 &
    handshakes "$work/ec12.$i" --tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256 &
done
# TLS 1.3 with the RSA key: the client names its signature algorithm.
while [ ! -e "$work/enough" ]; do
    if timeout 15 openssl s_client -connect "127.0.0.1:$port" -tls1_3 -sigalgs rsa_pss_rsae_sha256 -CAfile "$work/both.pem" \
        -verify_return_error </dev/null >"$work/s_client.out" 2>&1; then echo "200 0"; else echo "000 0 $(tail -n 1 "$work/s_client.out")"; fi
done >"$work/pss13" &
wrk -t 1 -c 4 -d 600 --timeout 15s -H 'Connection: close' "https://127.0.0.1:$port/" >"$work/wrk.out" 2>&1 &
wrk=$!
pids+=("$wrk")

fire() { # zone to kill, zone to pause
    step "zone $1 is killed, zone $2 is paused, then healed"
    chaos kill "$1"
    sleep "$seconds"
    chaos pause "$2"
    sleep "$seconds"
    chaos resume "$2"
    chaos restart "$1"
    sleep "$seconds"
    wait_for 30 all_well
}
sleep "$seconds"
fire b a
fire a c

: >"$work/enough"
kill -INT "$wrk" 2>/dev/null || true
wait "$wrk" || true
cat "$work/wrk.out"
for job in $(jobs -p); do wait "$job" || true; done
step "what the clients saw"
python3 - "$work" <<'PY'
import glob, os, re, sys
work, bad = sys.argv[1], []
for name in ("tls13.*", "rsa12.*", "ec12.*", "pss13"):
    rows = [line.rstrip("\n").split(" ", 2) for f in glob.glob(os.path.join(work, name)) for line in open(f)]
    failed = [r for r in rows if r[0] != "200"]
    slowest = max((float(r[1]) for r in rows), default=0)
    print("%-8s handshakes=%d failed=%d slowest_s=%.2f" % (name.split(".")[0], len(rows), len(failed), slowest))
    bad += ["%s: %s" % (name, " ".join(r)) for r in failed]
    if not rows:
        bad.append("%s: no handshake" % name)
told = open(os.path.join(work, "wrk.out")).read()
errors = re.search(r"Socket errors: (.*)", told)
if errors and any(int(n) for n in re.findall(r"(?:connect|read|write|timeout) (\d+)", errors.group(1))):
    bad.append("wrk: " + errors.group(1))
if "Non-2xx" in told:
    bad.append("wrk: an answer that is not 200")
if not re.search(r"[1-9]\d* requests in", told):
    bad.append("wrk: no request")
print("\n".join(bad[:20]) or "no failed handshake")
sys.exit(1 if bad else 0)
PY
