#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The KMS front end and callers that mean no good: signatures, clocks, shapes, sizes, slowness, certificates; and
# its signals.
. "$(dirname "$0")/lib.sh"
need python3 curl openssl
boto -c 'import botocore' 2>/dev/null || skip "botocore is not installed"

step "a cluster with a front end of its own configuration"
"$QHSM" dev up --zones 1 --dir "$cluster"
"$QHSM" kms up --dir "$cluster"
. "$cluster/env"
"$QHSM" kms down --dir "$cluster"
kms=$cluster/kms
pki=$work/pki
mkdir "$pki" "$work/trail"
certificate() { # file, CN, CA
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$pki/$1.key" -subj "/CN=$2" 2>/dev/null |
        openssl x509 -req -CA "$pki/$3.pem" -CAkey "$pki/$3.key" -CAcreateserial -days 2 -out "$pki/$1.pem" \
            -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n') 2>/dev/null
}
for ca in ca other; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$pki/$ca.key" -out "$pki/$ca.pem" \
        -days 2 -subj "/CN=$ca" 2>/dev/null
done
certificate server localhost ca
certificate good cks.kms.us-east-1.amazonaws.com ca
certificate named mallory ca
certificate foreign cks.kms.us-east-1.amazonaws.com other
conf=$kms/own.conf
grep -vE '^(trail_dir|cert|key) ' "$kms/kms.conf" >"$conf"
cat >>"$conf" <<END
trail_dir = $work/trail
cert = $pki/server.pem
key = $pki/server.key
client_ca = $pki/ca.pem
client_subject = cks.kms.us-east-1.amazonaws.com
request_timeout_s = 2
idle_timeout_s = 3
connections_max = 64
END
"$QHSM_BUILD/kms/qhsm-kms" --check-config --config "$conf" | grep -q 'is good'
must_fail 'give listen or listen_https' "$QHSM_BUILD/kms/qhsm-kms" --config <(printf 'hsm_password_file = x\n')
must_fail 'nonsense is not a verb' "$QHSM_BUILD/kms/qhsm-kms" nonsense --config "$conf"
"$QHSM_BUILD/kms/qhsm-kms" --help | grep -q 'hsm_password_file'
"$QHSM_BUILD/kms/qhsm-kms" --config "$conf" 2>"$work/qhsm-kms.log" &
front=$!
pids+=("$front")
http=$(sed -n 's/^listen = //p' "$conf")
https=https://$(sed -n 's/^listen_https = //p' "$conf")
wait_for 10 curl -fs "http://$http/ping"
grep -q 'emulator=yes' "$work/qhsm-kms.log"

step "signatures, clocks, shapes, slow callers"
boto "$here/kms_http.py" "${http##*:}"

step "mutual TLS: without the demanded certificate the connection ends"
call() { curl -s --cacert "$pki/ca.pem" -o "$work/answer" -w '%{http_code}' "$@" "$https/ping"; }
[ "$(call --cert "$pki/good.pem" --key "$pki/good.key")" = 200 ]
[ "$(call --tls-max 1.2 --cert "$pki/good.pem" --key "$pki/good.key")" = 200 ]
rm "$work/answer"
for who in none named foreign; do
    arguments=()
    [ "$who" = none ] || arguments=(--cert "$pki/$who.pem" --key "$pki/$who.key")
    for version in 1.2 1.3; do
        [ "$(call --tls-max "$version" "${arguments[@]}" || true)" = 000 ] || fail "$who was answered"
    done
done
[ ! -s "$work/answer" ]
grep -q 'client_certificate_refused .*common name is not client_subject' "$work/qhsm-kms.log"
must_fail 'SSL|alert' curl -sS --tls-max 1.1 --cacert "$pki/ca.pem" --cert "$pki/good.pem" --key "$pki/good.key" "$https/ping"

step "SIGHUP: new certificates, and old ones when the new are wrong"
certificate server localhost other
kill -HUP "$front"
now_other() { curl -fs --cacert "$pki/other.pem" --cert "$pki/good.pem" --key "$pki/good.key" "$https/ping"; }
wait_for 10 now_other
printf 'rubbish\n' >"$pki/server.pem"
kill -HUP "$front"
wait_for 10 grep -q 'what is not told otherwise stays as it was' "$work/qhsm-kms.log"
now_other >/dev/null

step "SIGTERM: a clean end"
kill -TERM "$front"
code=0
wait "$front" || code=$?
[ "$code" = 0 ] || fail "it ended with $code"
grep -q 'stopped by=signal' "$work/qhsm-kms.log"
must_fail '.' curl -fsS "http://$http/ping"

step "no secret in the log"
! grep -rqF -- "$AWS_SECRET_ACCESS_KEY" "$work/qhsm-kms.log" "$work/trail" || fail "the secret key is there"
