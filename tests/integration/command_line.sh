#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The command line as a person meets it: help, tokens, users, keys, errors with exit codes, several clusters side by side.
. "$(dirname "$0")/lib.sh"
need python3 openssl
code() { # expected exit code, pattern in stderr, command...
    local expected=$1 pattern=$2 got=0
    shift 2
    "$@" >"$work/out" 2>"$work/err" || got=$?
    [ "$got" -eq "$expected" ] || { cat "$work/out" "$work/err"; fail "exit code $got, expected $expected: $*"; }
    grep -qE -- "$pattern" "$work/err" || { cat "$work/err"; fail "no '$pattern' in the error of: $*"; }
}

step "help and usage"
"$QHSM" --help | grep -q 'token init'
"$QHSM" --completion-words | while read -r noun verb _; do
    if [ "$verb" = - ]; then "$QHSM" "$noun" --help >/dev/null; else "$QHSM" "$noun" "$verb" --help >/dev/null; fi
done
code 2 'no such command' "$QHSM" nonsense
code 2 'no verb' "$QHSM" token nonsense
code 2 'missing' "$QHSM" token init
code 2 'client.conf' env -u QHSM_CONF HOME="$work" "$QHSM" status

start_cluster
echo "$QHSM_USER_PIN" >"$work/pin"
echo "$QHSM_SO_PIN" >"$work/so"
chmod 0600 "$work/pin" "$work/so"

step "status"
"$QHSM" status | grep -q leader
[ "$("$QHSM" status -o json | json 'd["tokens"]')" = 1 ]

step "a second token"
printf 'another-so-pin\n' >"$work/so2"
printf 'another-user-pin\n' >"$work/pin2"
"$QHSM" token init second --so-pin-file "$work/so2" --user-pin-file "$work/pin2"
[ "$("$QHSM" token list -o json | json 'sum(1 for t in d if t["initialized"])')" = 2 ]
"$QHSM" token show second | grep -q second
"$QHSM" key list --token second --pin-file "$work/pin2" >/dev/null
grep -v ^token "$QHSM_CONF" >"$cluster/no-token.conf"
code 2 'name one with --token' "$QHSM" key list --config "$cluster/no-token.conf" --pin-file "$work/pin"

step "users"
printf 'alice-password\n' >"$work/alice"
"$QHSM" user create alice --pin-file "$work/so" --new-pin-file "$work/alice"
code 7 'EXISTS' "$QHSM" user create alice --pin-file "$work/so" --new-pin-file "$work/alice"
"$QHSM" key list --user alice --pin-file "$work/alice" >/dev/null
printf 'alice-other-password\n' >"$work/alice2"
"$QHSM" user passwd alice --pin-file "$work/alice" --new-pin-file "$work/alice2"
code 5 'PIN_INCORRECT' "$QHSM" key list --user alice --pin-file "$work/alice"
"$QHSM" key list --user alice --pin-file "$work/alice2" >/dev/null
"$QHSM" user disable alice --pin-file "$work/so"
code 5 'USER_DISABLED|PIN_LOCKED' "$QHSM" key list --user alice --pin-file "$work/alice2"
"$QHSM" user unlock alice --pin-file "$work/so"
"$QHSM" key list --user alice --pin-file "$work/alice2" >/dev/null

step "lock-out, and the way back"
printf 'wrong-password\n' >"$work/wrong"
for _ in $(seq 10); do "$QHSM" key list --user alice --pin-file "$work/wrong" >/dev/null 2>&1 && fail "a wrong PIN worked"; done
code 5 'PIN_LOCKED' "$QHSM" key list --user alice --pin-file "$work/alice2"
[ "$("$QHSM" user list -o json | json '[u["locked"] for u in d if u["name"]=="alice"][0]')" = True ]
"$QHSM" user unlock alice --pin-file "$work/so"
"$QHSM" key list --user alice --pin-file "$work/alice2" >/dev/null
"$QHSM" user delete alice --pin-file "$work/so"
code 5 '' "$QHSM" key list --user alice --pin-file "$work/alice2"

step "keys of every kind"
for kind in rsa:2048 ec:P-224 ec:P-256 ec:P-384 ec:P-521 ec:secp256k1 ed25519 ed448 x25519 x448 aes:128 aes:256 generic:32; do
    "$QHSM" key generate "$kind" --label "k-$kind" --id 0a --pin-file "$work/pin" >/dev/null
done
[ "$("$QHSM" key list --pin-file "$work/pin" -o json | json 'len(d)')" = 23 ]
code 2 'known are' "$QHSM" key generate ec:P-192 --pin-file "$work/pin"
code 8 '' "$QHSM" key generate rsa:1024 --pin-file "$work/pin"

"$QHSM" key generate aes:128 --label $'red\e[31m' --pin-file "$work/pin" >/dev/null
! "$QHSM" key list --pin-file "$work/pin" | grep -q $'\e' || fail "a label steers the terminal"

step "import, show, destroy"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/rsa.key" 2>/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$work/ec.key"
openssl genpkey -algorithm ED25519 -out "$work/ed.key"
for kind in rsa ec ed; do
    "$QHSM" key import "$work/$kind.key" --label "in-$kind" --id 0b --pin-file "$work/pin" >"$work/imported"
    handle=$(awk '/private/ {print $2}' "$work/imported")
    "$QHSM" key show "$handle" --pin-file "$work/pin" >"$work/shown"
    grep -q "in-$kind" "$work/shown"
    ! grep -E 'CKA_(VALUE|PRIVATE_EXPONENT|PRIME_1) +[0-9a-f]{8}' "$work/shown" || fail "a secret is shown"
done
head -c 32 /dev/urandom >"$work/raw"
"$QHSM" key import "$work/raw" --type aes --label in-aes --pin-file "$work/pin" >"$work/imported"
handle=$(awk '{print $2}' "$work/imported")
"$QHSM" key destroy "$handle" --pin-file "$work/pin"
code 3 'HANDLE|NOT_FOUND' "$QHSM" key show "$handle" --pin-file "$work/pin"

step "policy"
policy() { "$QHSM" policy set --pin-file "$work/so" "$@" >/dev/null; }
shown() { "$QHSM" policy show -o json | json "d['$1']"; }
[ "$(shown strict)" = False ]
"$QHSM" key generate rsa:2048 --label oracle --id 0c --pin-file "$work/pin" >/dev/null
printf 'a secret' >"$work/plain"
p11_user --read-object --type pubkey --label oracle --output-file "$work/oracle.der" >/dev/null 2>&1
openssl pkeyutl -encrypt -pubin -keyform DER -inkey "$work/oracle.der" -pkeyopt rsa_padding_mode:pkcs1 \
    -in "$work/plain" -out "$work/wrapped"
decrypt() { p11_user --decrypt --id 0c --mechanism RSA-PKCS --input-file "$work/wrapped" --output-file "$work/decrypted"; }
decrypt >/dev/null 2>&1
cmp "$work/plain" "$work/decrypted"
policy strict=yes
[ "$(shown strict)" = True ]
must_fail 'CKR_MECHANISM_INVALID' decrypt
p11 --list-mechanisms 2>/dev/null | grep -q 'AES-ECB,'
policy strict=no disable=CKM_AES_ECB disable=AES_CTR
decrypt >/dev/null 2>&1
[ "$(shown disabled)" = "['CKM_AES_ECB', 'CKM_AES_CTR']" ]
p11 --list-mechanisms >"$work/mechanisms" 2>/dev/null
! grep -q 'AES-ECB,' "$work/mechanisms" || fail "a disabled mechanism is listed"
grep -q 'AES-CBC,' "$work/mechanisms"
policy enable=AES_ECB enable=AES_CTR approved_only=yes
p11 --list-mechanisms >"$work/mechanisms" 2>/dev/null
grep -q 'AES-ECB,' "$work/mechanisms"
! grep -q 'RSA-X-509,' "$work/mechanisms" || fail "an unapproved mechanism is listed"
policy approved_only=no pin_len_min=8
printf 'short\n' >"$work/short"
code 8 'PIN_LEN' "$QHSM" user create bob --pin-file "$work/so" --new-pin-file "$work/short"
epoch=$(shown epoch)
policy objects_max=500 --epoch "$epoch"
code 7 'CONFLICT' "$QHSM" policy set objects_max=600 --epoch "$epoch" --pin-file "$work/so"
[ "$(shown objects_max)" = 500 ]
policy --profile cloudhsm pin_tries_max=5
[ "$(shown objects_max) $(shown users_max) $(shown pin_len_max) $(shown pin_tries_max)" = "16666 1024 32 5" ]
policy strict=no objects_max=0 pin_tries_max=10
code 2 'known are' "$QHSM" policy set colour=red --pin-file "$work/so"
code 2 '1 to 100' "$QHSM" policy set pin_tries_max=0 --pin-file "$work/so"
code 2 'yes or no' "$QHSM" policy set strict=maybe --pin-file "$work/so"
code 2 'pin_len_min' "$QHSM" policy set pin_len_min=20 pin_len_max=10 --pin-file "$work/so"
code 2 'mechanism list' "$QHSM" policy set disable=CKM_NONSENSE --pin-file "$work/so"
code 5 '' "$QHSM" policy set strict=yes --pin-file "$work/pin"

step "a security officer who is locked out"
printf 'not-the-so-pin\n' >"$work/wrong-so"
for _ in $(seq 10); do "$QHSM" policy set --token second strict=yes --pin-file "$work/wrong-so" >/dev/null 2>&1 && fail "a wrong PIN worked"; done
code 5 'PIN_LOCKED' "$QHSM" policy set --token second strict=yes --pin-file "$work/so2"
slot=$("$QHSM" token show second -o json | json 'd["slot"]')
printf 'a-new-so-pin\n' >"$work/so3"
code 5 'PIN_LOCKED' "$QHSM" token init second --slot "$slot" --so-pin-file "$work/so2"
code 2 'needs --slot' "$QHSM" token init second --force --so-pin-file "$work/so3"
code 2 'second unasked' "$QHSM" token init second --slot "$slot" --force --so-pin-file "$work/so3" </dev/null
"$QHSM" token init second --slot "$slot" --force --yes --so-pin-file "$work/so3" --user-pin-file "$work/pin2"
"$QHSM" policy set --token second pin_tries_max=10 --pin-file "$work/so3" >/dev/null
[ "$("$QHSM" token show second -o json | json 'd["objects"]')" = 0 ]
grep -q 'token_destroyed_by_administrator slot=' "$cluster"/zone-*/qhsmd.log

step "two clusters side by side, stop and start"
"$QHSM" dev up --dir "$work/other"
(. "$work/other/env"; echo "$QHSM_USER_PIN" >"$work/other.pin"; [ "$("$QHSM" key list --pin-file "$work/other.pin" -o json | json 'len(d)')" = 0 ])
"$QHSM" dev down --dir "$work/other" --purge
[ ! -e "$work/other" ]
mkdir "$work/shared"
echo mine >"$work/shared/notes"
"$QHSM" dev up --dir "$work/shared"
"$QHSM" dev down --dir "$work/shared" --purge
[ "$(ls "$work/shared")" = notes ] || fail "purge took what is not the cluster's"
"$QHSM" dev down --dir "$cluster"
code 6 'UNAVAILABLE' "$QHSM" status
"$QHSM" dev up --dir "$cluster"
"$QHSM" key list --label in-ec --pin-file "$work/pin" | grep -q in-ec

step "a directory with any name, whose mode stays"
odd="$work/it's a ?; dir"
mkdir -m 0750 "$odd"
"$QHSM" dev up --dir "$odd" >/dev/null
[ "$(stat -c %a "$odd")" = 750 ]
(. "$odd/env"; "$QHSM" status >/dev/null; [ "$QHSM_CONF" = "$odd/client.conf" ])

step "a dev up that was killed in the middle"
rm "$odd/cluster"
pid=$(cat "$odd/zone-a/qhsmd.pid")
"$QHSM" dev up --dir "$odd" >/dev/null
! grep -qs '^State:.[^ZX]' "/proc/$pid/status" || fail "the daemon of the half-made cluster runs on"
(. "$odd/env"; "$QHSM" token list | grep -q "$QHSM_TOKEN")
rm "$odd/cluster"
"$QHSM" dev down --dir "$odd" --purge
[ ! -e "$odd" ]
mkdir "$odd"
code 3 'NOT_FOUND' "$QHSM" dev down --dir "$odd" --purge
rmdir "$odd"

step "a patient cluster, for a machine that stalls: remembered, and what joins has it too"
code 2 '1 to 60' "$QHSM" dev up --dir "$odd" --patience 61
code 2 '1 to 60' env QHSM_DEV_PATIENCE=0 "$QHSM" dev up --dir "$odd"
QHSM_DEV_PATIENCE=2 "$QHSM" dev up --dir "$odd" --patience 3 >/dev/null
grep -qx 'election_ms = 1500' "$odd/zone-a/qhsmd.conf"
grep -qx 'call_timeout_ms = 30000' "$odd/client.conf"
[ "$(. "$odd/env"; "$QHSM" policy show -o json | json 'd["serve_without_leader_s"]')" = 30 ]
"$QHSM" dev join b --dir "$odd"
grep -qx 'election_ms = 1500' "$odd/zone-b/qhsmd.conf"
grep -qx 'attempt_timeout_ms = 3000' "$odd/zone-b/client.conf"
"$QHSM" dev down --dir "$odd" --purge
QHSM_DEV_PATIENCE=2 "$QHSM" dev up --dir "$odd" >/dev/null
grep -qx 'election_ms = 1000' "$odd/zone-a/qhsmd.conf"
"$QHSM" dev down --dir "$odd" --purge

step "two at once in one directory"
"$QHSM" dev up --dir "$odd" >/dev/null &
"$QHSM" dev up --dir "$odd" >/dev/null
wait $!
(. "$odd/env"; echo "$QHSM_USER_PIN" >"$work/odd.pin"; "$QHSM" key list --pin-file "$work/odd.pin" >/dev/null)
"$QHSM" dev down --dir "$odd" --purge

step "standard output that takes nothing"
full() { "$@" >/dev/full; }
code 6 'standard output' full "$QHSM" token list
code 6 'standard output' full "$QHSM" mechanism list -o json
code 6 'standard output' full "$QHSM" --help

step "an interrupted PIN prompt"
python3 - "$QHSM" <<'END'
import os, pty, sys, termios, time
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "key", "list"])
echo = lambda: bool(termios.tcgetattr(fd)[3] & termios.ECHO)
shown = b""
while not shown.endswith(b": "):
    shown += os.read(fd, 100)
while echo():
    time.sleep(0.01)
os.write(fd, b"\x03")
status = os.waitpid(pid, 0)[1]
assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == 2, status
assert echo(), "the terminal is left without echo"
END

step "bench and mechanisms"
"$QHSM" mechanism list AES_GCM | grep -q CKM_AES_GCM
"$QHSM" bench --seconds 0.05 --threads 2 --cases 'p256-sign,find-*,session' -o json | json 'len(d)' | grep -qx 8
