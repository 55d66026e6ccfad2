#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Three zones: formed in seconds, each sees what any wrote, one may die, be paused, drained, removed, and come back.
. "$(dirname "$0")/lib.sh"
need python3

step "three zones"
begin=$(now_ms)
"$QHSM" dev up --zones 3 --dir "$cluster"
printf 'dev up --zones 3 took %d ms\n' $(($(now_ms) - begin))
. "$cluster/env"
pin=$work/pin
printf '%s\n' "$QHSM_USER_PIN" >"$pin"
printf '%s\n' "$QHSM_SO_PIN" >"$work/so"
chmod 0600 "$pin" "$work/so"
status() { "$QHSM" cluster status -o json | json "$1"; }
keys() { "$QHSM" key list --pin-file "$pin" -o json | json '" ".join(sorted(o["label"] for o in d))'; }
generate() { "$QHSM" key generate aes:256 --label "$1" --pin-file "$pin" >/dev/null; }
healthy() { [ "$(status '" ".join(h["health"] for h in d)')" = "ok ok ok" ]; }

step "the cluster's status"
wait_for 10 healthy
[ "$(status '" ".join(h["zone"] for h in d)')" = "a b c" ]
[ "$(status '" ".join(str(h["id"]) for h in d)')" = "1 2 3" ]
[ "$(status 'sorted(h["role"] for h in d)')" = "['leader', 'voter', 'voter']" ]
all_formed() { [ "$(status 'all(h["reachable"] and h["has_quorum"] and h["formed"] and h["certificate_expires"] for h in d)')" = True ]; }
wait_for 10 all_formed
"$QHSM" cluster status | grep -q 'has a majority'
[ "$("$QHSM" member list -o json | json 'len(set(h["key"] for h in d))')" = 3 ]

step "the client configuration of one zone"
for zone in a b c; do
    [ "$(in_zone "$zone" "$QHSM" status -o json | json 'd["zone"]')" = "$zone" ]
    grep -q "^zone = $zone" "$cluster/zone-$zone/client.conf"
    [ "$(grep -c '^endpoint' "$cluster/zone-$zone/client.conf")" = 2 ]
done
[ "$(grep -c '^endpoint = .*?zone=' "$cluster/client.conf")" = 6 ]

step "what one zone wrote, the others read"
expected=
for zone in a b c; do
    in_zone "$zone" generate "k-$zone"
    expected="$expected${expected:+ }k-$zone"
    for other in a b c; do
        begin=$(now_ms)
        [ "$(in_zone "$other" "$QHSM" key list --linearizable --pin-file "$pin" -o json |
            json '" ".join(sorted(o["label"] for o in d))')" = "$expected" ] || fail "$other does not see all of $expected"
        printf 'written in %s, read in %s after %d ms\n' "$zone" "$other" $(($(now_ms) - begin))
    done
done
equal() { [ "$(status 'len(set(h["state_hash"] for h in d))')" = 1 ]; }
wait_for 5 equal

step "a key pair has the same handles in each zone"
"$QHSM" key generate ec:P-256 --label sign --id 07 --pin-file "$pin" >"$work/pair"
for zone in a b c; do
    [ "$(in_zone "$zone" "$QHSM" key list --linearizable --pin-file "$pin" -o json | json '[o["handle"] for o in d if o["label"]=="sign"]')" = \
        "$("$QHSM" key list --pin-file "$pin" -o json | json '[o["handle"] for o in d if o["label"]=="sign"]')" ]
done

step "the leader is killed: the others go on"
leader=$(leading_zone)
others=$(tr -d "$leader " <<<"abc")
survivor=${others:0:1}
begin=$(now_ms)
"$QHSM" chaos kill "$leader" --dir "$cluster"
in_zone "$survivor" generate after-kill
printf 'a change after the leader was killed took %d ms\n' $(($(now_ms) - begin))
in_zone "$survivor" "$QHSM" cluster status -o json | json '[h["health"] for h in d if h["zone"]=="'"$leader"'"][0]' | grep -qx unreachable
generate through-all
"$QHSM" chaos status --dir "$cluster" | grep -Eq "^$leader +down"
"$QHSM" chaos restart "$leader" --dir "$cluster"
wait_for 10 healthy
in_zone "$leader" keys | grep -q after-kill

step "dev up starts what is down, and names the module of its own build"
cat "$cluster"/env "$cluster"/env.? >"$work/environments"
sed -i 's|^export QHSM_MODULE=.*|export QHSM_MODULE=/nowhere/libqhsm-pkcs11.so|' "$cluster"/env "$cluster"/env.?
"$QHSM" chaos kill b --dir "$cluster"
"$QHSM" chaos kill c --dir "$cluster"
must_fail 'NO_QUORUM' in_zone a "$QHSM" key generate aes:128 --label none --pin-file "$pin"
in_zone a "$QHSM" token list | grep -q dev
{ sed "s#= \.\./#= $cluster/#" "$cluster/zone-a/client.conf"; echo "read = linearizable"; } >"$work/linearizable.conf"
must_fail 'NO_QUORUM' "$QHSM" token list --config "$work/linearizable.conf"
"$QHSM" dev up --dir "$cluster"
cat "$cluster"/env "$cluster"/env.? | diff - "$work/environments"
"$QHSM" token list --config "$work/linearizable.conf" | grep -q dev
wait_for 10 healthy
listed=$(keys)
! grep -qw none <<<"$listed" || fail "what was refused is there"

step "a zone that is paused"
leader=$(leading_zone)
"$QHSM" chaos pause "$leader" --dir "$cluster"
must_fail 'chaos resume' "$QHSM" chaos slow "$leader" --delay 5ms --dir "$cluster"
begin=$(now_ms)
generate while-paused
printf 'a change after the leader was paused took %d ms\n' $(($(now_ms) - begin))
"$QHSM" chaos resume "$leader" --dir "$cluster"
wait_for 10 healthy
in_zone "$leader" keys | grep -q while-paused

step "another leads"
leader=$(leading_zone)
next=$(tr -d "$leader " <<<"abc")
"$QHSM" cluster transfer-leader "${next:0:1}"
leads() { [ "$(leading_zone)" = "$1" ]; }
wait_for 5 leads "${next:0:1}"

step "drain and undrain"
"$QHSM" member drain b
drained() { [ "$(status '[h["health"] for h in d if h["zone"]=="b"][0]')" = draining ]; }
wait_for 5 drained
must_fail 'DRAINING' in_zone b "$QHSM" key list --pin-file "$pin"
generate while-drained
"$QHSM" member undrain b
wait_for 5 healthy

step "stand-by and voter"
"$QHSM" member demote c
role() { [ "$(status '[h["role"] for h in d if h["zone"]=="c"][0]')" = "$1" ]; }
wait_for 10 role stand-by
in_zone c keys | grep -q while-drained
"$QHSM" member promote c
wait_for 10 role voter

step "words that are wrong"
must_fail 'qhsm dev up' "$QHSM" chaos kill a --dir "$work/nowhere"
must_fail 'NOT_FOUND' "$QHSM" member drain z
must_fail 'unasked' "$QHSM" member remove c </dev/null
must_fail 'cluster join' "$QHSM" cluster token create
must_fail 'formed' "$QHSM" cluster init --daemon-config "$cluster/zone-a/qhsmd.conf"
must_fail 'NOT_PERMITTED' "$QHSM" member drain c --config <(grep -v unix: "$cluster/client.conf" | sed "s#= \(ca\|client\)\.#= $cluster/\1.#")

step "a certificate for an administrator"
"$QHSM" cluster certificate create ada --role admin --out "$work" >"$work/ada"
{ grep '^endpoint = tcp' "$cluster/client.conf"; cat "$work/ada"; } >"$work/ada.conf"
"$QHSM" member list --config "$work/ada.conf" >/dev/null
"$QHSM" member drain c --config "$work/ada.conf"
"$QHSM" member undrain c --config "$work/ada.conf"

step "tampering: the HSM erases itself, the cluster goes on"
must_fail 'unasked' "$QHSM" chaos tamper c --dir "$cluster" </dev/null
"$QHSM" chaos tamper c --yes --dir "$cluster"
[ ! -e "$cluster/zone-c/state/master.key" ]
[ ! -e "$cluster/zone-c/state/raft" ]
[ ! -e "$cluster/zone-c/state/backups" ]
[ ! -e "$cluster/zone-c/node.key" ]
grep -q zeroized "$cluster/zone-c/qhsmd.log"
must_fail 'ZEROIZED' "$QHSM" chaos restart c --dir "$cluster"
must_fail 'ZEROIZED' "$QHSM_BUILD/cluster/qhsmd" --config "$cluster/zone-c/qhsmd.conf"
in_zone a generate after-tampering
[ "$(status '[h["health"] for h in d if h["zone"]=="c"][0]')" = zeroized ]
"$QHSM" dev up --dir "$cluster" | grep -q 'tampered'

step "removed, and joined anew"
"$QHSM" member remove c --yes
"$QHSM" dev join c --dir "$cluster"
[ "$(status '[h["id"] for h in d if h["zone"]=="c"][0]')" = 4 ]
wait_for 10 healthy
in_zone c keys | grep -q after-tampering

step "a removed HSM that returns is refused"
must_fail 'member remove' "$QHSM" dev join b --dir "$cluster"
"$QHSM" member remove b --yes
gone() { [ "$(status 'len([h for h in d if h["zone"]=="b"])')" = 0 ]; }
wait_for 10 gone
wait_for 10 grep -q 'removed' "$cluster/zone-b/qhsmd.log"
"$QHSM" dev join b --dir "$cluster"
wait_for 10 healthy

step "a fourth zone"
"$QHSM" dev join d --dir "$cluster"
[ "$(status 'len(d)')" = 4 ]
in_zone d keys | grep -q after-tampering

step "everything stops and starts again"
before=$(keys)
"$QHSM" dev down --dir "$cluster"
"$QHSM" dev up --dir "$cluster"
[ "$(keys)" = "$before" ]

step "an HSM that was removed sends its administrators and clients elsewhere"
"$QHSM" member remove a --yes
"$QHSM" member drain b
"$QHSM" member undrain b
generate without-a
before=$(keys)
must_fail 'removed' in_zone a "$QHSM" key list --pin-file "$pin"
"$QHSM" dev join a --dir "$cluster"
[ "$(in_zone a keys)" = "$before" ]

step "the majority is lost for good: recover"
for zone in a c d; do "$QHSM" chaos kill "$zone" --dir "$cluster"; done
must_fail 'another qhsmd runs' "$QHSM_BUILD/cluster/qhsmd" --config "$cluster/zone-b/qhsmd.conf" --inspect
must_fail 'stopped' "$QHSM" cluster recover --config "$cluster/zone-b/qhsmd.conf" --yes
"$QHSM" chaos kill b --dir "$cluster"
must_fail 'unasked' "$QHSM" cluster recover --config "$cluster/zone-b/qhsmd.conf" </dev/null
"$QHSM" cluster recover --config "$cluster/zone-b/qhsmd.conf" --yes >"$work/recovered"
grep -q 'zone b is a cluster of one' "$work/recovered"
"$QHSM" chaos restart b --dir "$cluster"
recovered() { [ "$(in_zone b "$QHSM" cluster status -o json | json '[(h["zone"],h["health"]) for h in d]')" = "[('b', 'ok')]" ]; }
wait_for 10 recovered
[ "$(in_zone b keys)" = "$before" ]
"$QHSM" dev join a --dir "$cluster"
[ "$(in_zone a keys)" = "$before" ]
"$QHSM" dev down --purge --dir "$cluster"
[ ! -e "$cluster" ]
