#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns `qhsm bench -o json` of the contenders unix, tls, softhsm2 and libcrypto into the table of docs/performance.md."""
import json
import sys


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def main():
    cases = {}
    for row in json.load(sys.stdin):
        cases.setdefault((row["case"], row["threads"]), {})[row["module"]] = row
    print("| case | threads | unix ops/s | p50 us | p99 us | tls ops/s | softhsm2 ops/s | libcrypto ops/s | unix/softhsm2 | unix/libcrypto |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for (case, threads), by in cases.items():
        ours = by.get("unix", {})
        rate = {name: (by.get(name) or {}).get("ops_per_s") for name in ("unix", "tls", "softhsm2", "libcrypto")}

        def part(name):
            return f"{rate['unix'] / rate[name]:.2f}" if rate["unix"] and rate[name] else "-"

        cells = [case, threads, number(rate["unix"]), number(ours.get("p50_us")), number(ours.get("p99_us"))]
        cells += [number(rate[name]) for name in ("tls", "softhsm2", "libcrypto")] + [part("softhsm2"), part("libcrypto")]
        print("| " + " | ".join(str(cell) for cell in cells) + " |")


main()
