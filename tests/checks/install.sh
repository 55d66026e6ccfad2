#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What an installation consists of: exactly tests/golden/install.txt. usage: install.sh BUILD PREFIX LIBDIR
set -eu
golden=$(dirname "$0")/../golden/install.txt
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
DESTDIR=$root cmake --install "$1" >"$root/log"
found=$(cd "$root$2" && find . ! -type d | sed "s,^\./,,;s,^$3/\(pk\),LIBDIR/\1," | LC_ALL=C sort)
if [ "$found" != "$(cat "$golden")" ]; then
    echo "what is installed differs from $golden:" >&2
    echo "$found" | diff - "$golden" >&2 || true
    exit 1
fi
