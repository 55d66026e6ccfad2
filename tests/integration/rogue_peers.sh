#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Callers and members that are not what they seem: each is refused, its reason is in the log (and, of a member, in
# cluster status), and the cluster goes on as if nothing had happened.
. "$(dirname "$0")/lib.sh"
need python3 openssl
status() { "$QHSM" cluster status -o json | json "$1"; }
of() { status "[h[\"$2\"] for h in d if h[\"zone\"]==\"$1\"][0]"; }
is() { [ "$(of "$1" "$2")" = "$3" ]; }
has() { grep -qE -- "$3" <<<"$(of "$1" "$2")"; }

step "a cluster of three, and one of somebody else"
"$QHSM" dev up --zones 3 --dir "$cluster"
other=$work/other
"$QHSM" dev up --zones 2 --dir "$other"
. "$cluster/env"
printf '%s\n' "$QHSM_USER_PIN" >"$work/pin"
chmod 600 "$work/pin"
all_vote() { [ "$(status 'sum(h["role"] in ("leader", "voter") and h["health"]=="ok" for h in d)')" = "$1" ]; }
wait_for 10 all_vote 3
uuid=$(cut -d' ' -f1 "$cluster/cluster")
conf_of() { sed -n "s/^$2 = //p" "$cluster/zone-$1/qhsmd.conf"; }
peer=$(conf_of a listen_peer)
client=$(conf_of a listen_tcp)
log_a=$cluster/zone-a/qhsmd.log
keys=0
unharmed() {
    keys=$((keys + 1))
    "$QHSM" key generate aes:256 --label "key-$keys" --pin-file "$work/pin" >/dev/null
    wait_for 10 all_vote "${1:-3}"
    one_state() { [ "$(status 'len(set(h["state_hash"] for h in d if h["reachable"]))')" = 1 ]; }
    wait_for 10 one_state
}
rogue_term=$((1 << 40)) # of rogue.py

# ---- callers with certificates of their own making

issue() { # ca, name, uri, from, to
    local dir=$work/pki-$2
    mkdir -p "$dir"
    openssl ecparam -name prime256v1 -genkey -noout -out "$dir/key" 2>/dev/null
    openssl req -new -key "$dir/key" -subj /CN=rogue -addext "subjectAltName = URI:$3" -addext 'basicConstraints = CA:FALSE' \
        -addext 'keyUsage = digitalSignature' -addext 'extendedKeyUsage = clientAuth, serverAuth' -out "$dir/req" 2>/dev/null
    certify "$1" "$dir/req" "$dir/pem" "$4" "$5"
}
call() { # name of the certificate, address, peer|client
    python3 "$here/rogue.py" "$2" "$cluster/ca.pem" "$work/pki-$1/pem" "$work/pki-$1/key" "$3"
}
logged_since() { tail -n "+$1" "$log_a" | grep -qE -- "$2"; }
# The log tells of refusals now and then only: the caller comes again until it does.
refused() { # name, address, peer|client, answer, log
    local from
    from=$(($(wc -l <"$log_a") + 1))
    tried() {
        local answer
        answer=$(call "$1" "$2" "$3")
        grep -qE -- "$4" <<<"$answer" || { printf '%s: %s\n' "$1" "$answer" >>"$work/answers"; return 1; }
        logged_since "$from" "$5"
    }
    wait_for 12 tried "$@"
}
now_to=("$(days_from_now -365)" "$(days_from_now 1800)")
past=("$(days_from_now -1000)" "$(days_from_now -300)")
issue "$other/ca" foreign "qhsm:$uuid/node/2" "${now_to[@]}"
issue "$cluster/ca" expired "qhsm:$uuid/node/2" "${past[@]}"
issue "$cluster/ca" client "qhsm:$uuid/client/web" "${now_to[@]}"
issue "$cluster/ca" elsewhere "qhsm:$(cut -d' ' -f1 "$other/cluster")/node/2" "${now_to[@]}"
issue "$cluster/ca" stranger "qhsm:$uuid/node/77" "${now_to[@]}"

step "a certificate of a foreign authority"
refused foreign "$peer" peer '^refused' 'peer_refused.*(certificate|signature)'
refused foreign "$client" client '^refused' 'tls_refused.*(certificate|signature)'
unharmed

step "an expired certificate"
refused expired "$peer" peer '^refused' 'peer_refused.*expired'
refused expired "$client" client '^refused' 'tls_refused.*expired'
unharmed

step "a client's certificate at the peers' port"
refused client "$peer" peer '^verdict 1' 'peer_refused.*not of a node of this cluster'
unharmed

step "a node of another cluster, though the authority is ours"
refused elsewhere "$peer" peer '^verdict 1' 'peer_refused.*not of a node of this cluster'
refused elsewhere "$client" client '^(refused|open)' 'tls_refused.*cluster'
unharmed

step "a node's certificate that is not on the roll, or says another number"
refused stranger "$peer" peer '^verdict 2' 'peer_refused.*another node'
tried_as_77() { python3 "$here/rogue.py" "$peer" "$cluster/ca.pem" "$work/pki-stranger/pem" "$work/pki-stranger/key" peer 77 | grep -q 'verdict 3'; }
wait_for 12 tried_as_77
unharmed
[ "$(of a term)" -lt "$rogue_term" ] || fail "a caller moved the term"

# ---- join tokens

new_hsm() { make_hsm "$work/$1" "$1" "$uuid"; }
qhsmd() { timeout $((20 * patience)) "$QHSM_BUILD/cluster/qhsmd" --config "$1/qhsmd.conf"; }
stop_hsm() { kill -"$1" "$2"; wait "$2" 2>/dev/null || true; }
key_code() { "$QHSM" cluster join --config "$work/$1/qhsmd.conf" | grep -oE 'qhsm-key-1\.[A-Za-z0-9_-]+'; }
ticket() { "$QHSM" cluster join --config "$work/$1/qhsmd.conf" --token "$2" >/dev/null; }

step "an expired join token"
new_hsm x
code=$(key_code x)
ticket x "$("$QHSM" cluster token create --key "$code" --life 1)"
sleep 1.5
must_fail 'EXPIRED.*good until' qhsmd "$work/x"
unharmed

step "a join token with another key"
token=$("$QHSM" cluster token create --key "$code" --approve)
new_hsm y
key_code y >/dev/null
ticket y "$token"
must_fail 'not for the key of this HSM' qhsmd "$work/y"
unharmed

step "a join token that was used"
ticket x "$token"
run_hsm "$work/x"
wait_for 15 all_vote 4
cp "$work/x/node.key" "$work/y/node.key"
ticket y "$token"
must_fail 'EXPIRED.*was used' qhsmd "$work/y"
must_fail 'that key is HSM 4' "$QHSM" cluster token create --key "$code"
unharmed 4

# ---- members

step "an old disk image that returns"
stop_hsm TERM "$hsm_pid"
cp -a "$work/x/state" "$work/x/old"
run_hsm "$work/x"
wait_for 15 all_vote 4
for i in 1 2 3; do "$QHSM" key generate aes:256 --label "later-$i" --pin-file "$work/pin" >/dev/null; done
in_step() { [ "$(of x lag)" = 0 ]; }
wait_for 10 in_step
stop_hsm KILL "$hsm_pid"
missed() { [ "$(of x reachable)" = False ]; }
wait_for 10 missed
mv "$work/x/state" "$work/x/present"
cp -a "$work/x/old" "$work/x/state"
must_fail 'old copy of the disk' qhsmd "$work/x"
wait_for 10 has x trouble 'went back in time'
grep -qE 'node_refused node=4 .*went back' "$cluster"/zone-*/qhsmd.log
unharmed 3

step "the same after another one took the lead"
leader=$(leading_zone)
"$QHSM" chaos restart "$leader" --dir "$cluster"
wait_for 15 all_vote 3
must_fail 'old copy of the disk' qhsmd "$work/x"
unharmed 3

step "with its own disk it is welcome"
rm -rf "$work/x/state"
mv "$work/x/present" "$work/x/state"
run_hsm "$work/x"
wait_for 15 all_vote 4
unharmed 4

step "a removed member that goes on, and that returns"
"$QHSM" member remove x --yes
told() { grep -qs 'peer_refused.* peer=4 .*not a member' "$cluster"/zone-*/qhsmd.log; }
wait_for 10 told
stop_hsm TERM "$hsm_pid"
must_fail 'was removed from the cluster for good' qhsmd "$work/x"
"$QHSM" member list -o json | json '[h["status"] for h in d if h["zone"]=="x"]' | grep -q removed
grep -qE 'node_refused node=4 .*removed' "$cluster"/zone-*/qhsmd.log
unharmed 3

step "a member with another cluster's directory"
"$QHSM" dev down --dir "$other" >/dev/null
"$QHSM" chaos kill b --dir "$cluster"
mv "$cluster/zone-b/state" "$work/state-b"
cp "$cluster/zone-b/unlock.key" "$work/unlock-b"
cp -a "$other/zone-b/state" "$cluster/zone-b/state"
must_fail 'SEALED' qhsmd "$cluster/zone-b"
cp "$other/zone-b/unlock.key" "$cluster/zone-b/unlock.key"
must_fail 'FOREIGN|another cluster' qhsmd "$cluster/zone-b"
unharmed 2
rm -rf "$cluster/zone-b/state"
mv "$work/state-b" "$cluster/zone-b/state"
cp "$work/unlock-b" "$cluster/zone-b/unlock.key"
"$QHSM" chaos restart b --dir "$cluster"
unharmed 3

step "a member with another member's directory"
"$QHSM" chaos kill c --dir "$cluster"
mv "$cluster/zone-c/state" "$work/state-c"
cp "$cluster/zone-c/unlock.key" "$work/unlock-c"
cp -a "$cluster/zone-b/state" "$cluster/zone-c/state"
cp "$cluster/zone-b/unlock.key" "$cluster/zone-c/unlock.key"
must_fail 'the certificate is of .*node/3' qhsmd "$cluster/zone-c"
unharmed 2
rm -rf "$cluster/zone-c/state"
cp "$work/unlock-c" "$cluster/zone-c/unlock.key"
mv "$work/state-c" "$cluster/zone-c/state"
"$QHSM" chaos restart c --dir "$cluster"
unharmed 3
[ "$("$QHSM" key list --linearizable --pin-file "$work/pin" -o json | json 'len(d)')" = $((keys + 3)) ]

step "what none of them could do, a member can: the vote is one that counts"
"$QHSM" chaos kill b --dir "$cluster"
moved() {
    python3 "$here/rogue.py" "$peer" "$cluster/ca.pem" "$cluster/zone-b/node.pem" "$cluster/zone-b/node.key" peer 2 | grep -q 'verdict 0'
    [ "$(of a term)" -ge "$rogue_term" ]
}
wait_for 10 moved
