#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A log that was moved away is left at SIGHUP: daemon and front end write a new file under the old name.
. "$(dirname "$0")/lib.sh"

start_cluster
start_kms
"$QHSM" dev down --dir "$cluster"
logs=$work/logs
mkdir "$logs"
printf 'log_file = %s/qhsmd.log\n' "$logs" >>"$cluster/zone-a/qhsmd.conf"
printf 'log_file = %s/kms.log\n' "$logs" >>"$cluster/kms/kms.conf"
"$QHSM" dev up --dir "$cluster" >/dev/null
"$QHSM" kms up --dir "$cluster" >/dev/null

# Renamed by what rotates, then told: what is written from now on is in the new file, and nothing is lost.
rotate() { # log, pid, event of the first file
    step "rotate $1"
    grep -q " $3 " "$logs/$1"
    mv "$logs/$1" "$logs/$1.1"
    kill -HUP "$2"
    wait_for 5 grep -q ' reloaded ' "$logs/$1"
    lines=$(wc -l <"$logs/$1.1")
    [ "$(stat -c %a "$logs/$1")" = 640 ]
    # Once more, when it cannot be: it goes on with the file that it has.
    mv "$logs" "$logs.away"
    kill -HUP "$2"
    wait_for 5 grep -q ' log_reopen_failed ' "$logs.away/$1"
    mv "$logs.away" "$logs"
    kill -HUP "$2"
    wait_for 5 eval '[ "$(grep -c " reloaded " "$logs/'"$1"'")" -ge 3 ]'
    [ "$(wc -l <"$logs/$1.1")" = "$lines" ] || fail "the old file is still written to"
}
rotate qhsmd.log "$(cat "$cluster/zone-a/qhsmd.pid")" started
rotate kms.log "$(cat "$cluster/kms/kms.pid")" listening

step "what logrotate is given"
snippet=$here/../../packaging/qhsm.logrotate
for log in qhsm qhsm-kms; do grep -q "^/var/log/$log/\*\.log {" "$snippet"; done
for unit in qhsmd qhsm-kms; do
    grep -q "systemctl reload $unit.service" "$snippet"
    grep -q '^ExecReload=/bin/kill -HUP \$MAINPID' "$here/../../packaging/$unit.service"
done
if command -v logrotate >/dev/null; then logrotate --debug --state "$work/state" "$snippet"; fi
