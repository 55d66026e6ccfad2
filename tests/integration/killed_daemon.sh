#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The module against a daemon that is killed again and again: the suite tests/unit/p11/daemon_test.c.
. "$(dirname "$0")/lib.sh"
start_cluster

step "a named user"
printf '%s' "$QHSM_SO_PIN" >"$work/so"
printf 'carols-pin' >"$work/carol"
"$QHSM" user create carol --pin-file "$work/so" --new-pin-file "$work/carol"

cat >"$work/kill_and_start" <<EOF
#!/bin/sh
pid=\$(cat "$cluster/zone-a/qhsmd.pid")
kill -9 "\$pid"
while grep -qs ') [^ZX]' "/proc/\$pid/stat"; do sleep 0.01; done
"$QHSM" dev up --dir "$cluster" >/dev/null
EOF
chmod +x "$work/kill_and_start"
export QHSM_KILL_AND_START="$work/kill_and_start"

step "the suite, over the Unix socket"
"$QHSM_BUILD/tests/unit/p11/unit-p11-daemon" "$@"

step "the suite, over TLS alone"
grep -v '^endpoint = unix:' "$cluster/client.conf" >"$cluster/tls.conf"
QHSM_CONF=$cluster/tls.conf "$QHSM_BUILD/tests/unit/p11/unit-p11-daemon" "$@"

step "a child that carries on with its parent's login"
printf 'fork = inherit\n' | cat - "$cluster/client.conf" >"$cluster/inherit.conf"
QHSM_CONF=$cluster/inherit.conf "$QHSM_BUILD/tests/unit/p11/unit-p11-inherit"
