#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The module shows exactly the symbols of tests/golden/exports.txt. usage: exports.sh MODULE
set -eu
golden=$(dirname "$0")/../golden/exports.txt
found=$(nm -D --defined-only "$1" | awk '{print $3}' | sort)
if [ "$found" != "$(sort "$golden")" ]; then
    echo "the symbols of $1 differ from $golden:" >&2
    echo "$found" | diff - "$golden" >&2 || true
    exit 1
fi
