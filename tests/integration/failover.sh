#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An application under load (failover.c) in zone a of three, while zones are killed, paused and drained: it sees no error.
# Prints what each phase did to each kind of work. QHSM_FAILOVER_SECONDS: how long a phase lasts.
. "$(dirname "$0")/lib.sh"
need python3 column
seconds=${QHSM_FAILOVER_SECONDS:-2}

step "a cluster of three zones, an application in zone a"
"$QHSM" dev up --dir "$cluster" --zones 3
# shellcheck disable=SC1091
. "$cluster/env"
{ printf 'zone = a\n'; cat "$cluster/client.conf"; } >"$cluster/near.conf"
chaos() { "$QHSM" chaos "$@" --dir "$cluster"; }
all_well() { "$QHSM" cluster status -o json | json 'len(d) == 3 and all(n["health"] == "ok" and n["lag"] < 100 for n in d)' | grep -qx True; }

mkfifo "$work/phases"
QHSM_CONF=$cluster/near.conf QHSM_TRACE=${QHSM_FAILOVER_TRACE:-} "$QHSM_BUILD/tests/integration/failover" \
    <"$work/phases" >"$work/told" 2>"$work/failover.log" &
application=$!
pids+=("$application")
exec 4>"$work/phases"
wait_for 20 grep -qx ready "$work/told"

phase() { printf '%s\n' "$1" >&4; step "$1"; } # what follows belongs to it

phase calm
sleep "$seconds"
phase own-zone-killed
chaos kill a
sleep "$seconds"
phase own-zone-back
chaos restart a
sleep "$seconds"
wait_for 20 all_well
phase own-zone-paused
chaos pause a
sleep $((seconds + 1 + patience)) # longer than a client waits for one HSM
phase own-zone-resumed
chaos resume a
sleep "$seconds"
wait_for 20 all_well
phase own-zone-drained
"$QHSM" member drain 1
sleep "$seconds"
phase own-zone-undrained
"$QHSM" member undrain 1
sleep "$seconds"
phase own-zone-cut-off
chaos partition a
sleep $((seconds + 1))
phase own-zone-joined-again
chaos heal a
sleep "$seconds"
wait_for 20 all_well
phase another-zone-killed
chaos kill b
sleep "$seconds"
phase another-zone-back
chaos restart b
sleep "$seconds"
wait_for 20 all_well

exec 4>&-
wait "$application" || { cat "$work/failover.log"; fail "the application ended with an error"; }
column -t "$work/told"
step "what the application saw"
# How long it took is judged of the program as it is used: with a sanitizer all takes several times as long.
python3 - "$work/told" "$patience" "$(sed -n 's/^QHSM_SANITIZE:[^=]*=//p' "$QHSM_BUILD/CMakeCache.txt")" <<'PY'
import sys
bad = []
patience = int(sys.argv[2])
is_judged_by_time = sys.argv[3] == ""
seen = set()
for line in open(sys.argv[1]):
    if not line.startswith("phase="):
        continue
    row = dict(part.split("=", 1) for part in line.split())
    seen.add(row["phase"])
    if int(row["failed"]) > 0:
        bad.append("an error: " + line.strip())
    if row["phase"] != "start" and row["work"].startswith("sign") and int(row["done"]) == 0:
        bad.append("nothing done: " + line.strip())
    # Signatures: an attempt's share and a bit. The rest may wait for a new leader or a sign of life.
    limit = patience * (4000 if row["work"].startswith("sign") else 9000)
    if is_judged_by_time and int(row["longest_ms"]) > limit:
        bad.append("too long: " + line.strip())
print("\n".join(bad) or "no error in %d phases" % len(seen))
sys.exit(1 if bad or len(seen) < 12 else 0)
PY
