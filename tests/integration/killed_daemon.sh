#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The module against a daemon that is killed again and again: the suite tests/unit/p11/daemon_test.c.
. "$(dirname "$0")/lib.sh"
start_cluster

step "a named user"
printf '%s' "$QHSM_SO_PIN" >"$work/so"
printf 'carols-pin' >"$work/carol"
"$QHSM" user create carol --pin-file "$work/so" --new-pin-file "$work/carol"

step "the suite"
cat >"$work/kill_and_start" <<EOF
#!/bin/sh
pid=\$(cat "$cluster/zone-a/qhsmd.pid")
kill -9 "\$pid"
while grep -qs ') [^ZX]' "/proc/\$pid/stat"; do sleep 0.01; done
"$QHSM" dev up --dir "$cluster" >/dev/null
EOF
chmod +x "$work/kill_and_start"
export QHSM_KILL_AND_START="$work/kill_and_start"
"$QHSM_BUILD/tests/unit/p11/unit-p11-daemon" "$@"
