#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An HSM's certificate that ends soon is renewed by the HSM itself, while it serves; what is not the cluster's stays.
. "$(dirname "$0")/lib.sh"
need python3 openssl

step "three zones"
"$QHSM" dev up --zones 3 --dir "$cluster"
. "$cluster/env"
days() { "$QHSM" cluster status -o json | json '[h["certificate_days"] for h in d if h["zone"]=="'"$1"'"][0]'; }
reload() { kill -HUP "$(cat "$cluster/zone-$1/qhsmd.pid")"; }
logged() { grep -c " $2 " "$cluster/zone-$1/qhsmd.log" || true; }
all_well() { [ "$("$QHSM" cluster status -o json | json '" ".join(h["health"] for h in d)')" = "ok ok ok" ]; }
# The HSM's certificate as it is, but for the days that it is good.
shorten() { # zone, days, [CA, [key of the HSM]]
    local dir=$cluster/zone-$1 ca=${3:-$cluster/ca} key=${4:-$cluster/zone-$1/node.key}
    openssl x509 -x509toreq -copy_extensions copyall -in "$dir/node.pem" -signkey "$key" -out "$work/request" 2>/dev/null
    certify "$ca" "$work/request" "$work/short.pem" "$(days_from_now 0)" "$(days_from_now "$2")"
    cp "$work/short.pem" "$dir/node.pem"
}
wait_for 10 all_well

for zone in a b; do
    step "zone $zone: 20 days are left, then 825 again"
    shorten "$zone" 20
    before=$(sha256sum <"$cluster/zone-$zone/node.pem")
    pid=$(cat "$cluster/zone-$zone/qhsmd.pid")
    reload "$zone"
    wait_for 10 grep -q ' certificate_renewed ' "$cluster/zone-$zone/qhsmd.log"
    renewed() { [ "$(days "$zone")" -gt 800 ]; }
    wait_for 10 renewed
    [ "$(sha256sum <"$cluster/zone-$zone/node.pem")" != "$before" ]
    [ "$(cat "$cluster/zone-$zone/qhsmd.pid")" = "$pid" ]
    openssl verify -CAfile "$cluster/ca.pem" "$cluster/zone-$zone/node.pem" >/dev/null
    [ "$(openssl x509 -in "$cluster/zone-$zone/node.pem" -noout -pubkey)" = "$(openssl pkey -in "$cluster/zone-$zone/node.key" -pubout)" ]
    sleep 1
    [ "$(logged "$zone" certificate_renewed)" = 1 ] || fail "it was renewed again and again"
done

step "all are well with the new ones, and after a restart"
wait_for 10 all_well
"$QHSM" chaos restart b --dir "$cluster"
wait_for 10 all_well
content() { "$QHSM" doctor; }
wait_for 10 content
[ "$(logged b certificate_renewed)" = 1 ]

step "at the start, too"
shorten c 20
"$QHSM" chaos restart c --dir "$cluster"
renewed() { [ "$(days c)" -gt 800 ]; }
wait_for 10 renewed

step "a key that the cluster does not know is its owner's to certify: a warning"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/other.key" 2>/dev/null
shorten c 19 "$cluster/ca" "$work/other.key" # another end than that of the one that was replaced a moment ago
cp "$work/other.key" "$cluster/zone-c/node.key"
kept=$(sha256sum <"$cluster/zone-c/node.pem")
reload c
wait_for 10 grep -q ' certificate_not_renewed error=CONFLICT' "$cluster/zone-c/qhsmd.log"
[ "$(sha256sum <"$cluster/zone-c/node.pem")" = "$kept" ]
code=0
"$QHSM" doctor >"$work/found" 2>/dev/null || code=$?
[ "$code" = 9 ]
grep -Eq '^warn +(certificate|member) .*(18|19) days' "$work/found"

step "the client's own that ends soon, has ended, is another's"
doctor_says() { # expected code, pattern
    local code=0
    "$QHSM" doctor >"$work/found" 2>/dev/null || code=$?
    [ "$code" = "$1" ] && grep -Eq "$2" "$work/found" || { cat "$work/found"; fail "doctor ended with $code"; }
}
doctor_says 9 '^ok +client certificate .*client.pem expires in 8'
cp "$cluster/client.pem" "$work/client.pem"
shorten_client() { # days
    openssl x509 -x509toreq -copy_extensions copyall -in "$work/client.pem" -signkey "$cluster/client.key" -out "$work/request" 2>/dev/null
    certify "$cluster/ca" "$work/request" "$cluster/client.pem" "$(days_from_now -30)" "$(days_from_now "$1")"
}
shorten_client 20
doctor_says 9 '^warn +client certificate .*client.pem expires in (19|20) days +have an administrator'
shorten_client -1
doctor_says 2 '^BAD +client certificate .*client.pem ended . days ago'
cp "$work/client.pem" "$cluster/client.pem"
cp "$work/other.key" "$cluster/client.key"
doctor_says 2 '^BAD +client certificate .*does not fit the certificate'
