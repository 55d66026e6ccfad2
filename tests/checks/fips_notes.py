#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tables of fips-notes/ against the program: mechanisms, services, self-tests.

Usage: fips_notes.py QHSM [--write]     QHSM: the built command line; --write brings the tables up to date
"""
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTES = ROOT / "fips-notes"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def algorithms(qhsm):
    listed = json.loads(subprocess.run([qhsm, "mechanism", "list", "-o", "json"], check=True, capture_output=True).stdout)
    size = lambda m: "" if m["max_size"] == 0 else f'{m["min_size"]} to {m["max_size"]}'
    return table(["mechanism", "sizes", "approved", "uses"],
                 [[f'`{m["mechanism"]}`', size(m), m["approved"], m["uses"].replace(",", ", ")] for m in listed])


def services():
    rows = []
    for line in (ROOT / "tests/golden/request_rights.txt").read_text().splitlines():
        name, *fields = line.split()
        has = dict(field.split("=") for field in fields if "=" in field)
        changes = {"nothing": "nothing", "here": "memory of the HSM", "proposes": "the cluster's state"}[has["changes"]]
        rows.append([f"`{name}`", has["roles"].replace(",", ", "), has["login"], changes])
    return table(["request", "connection", "login", "changes"], rows)


def renew(page, mark, text, write):
    path = NOTES / page
    old = path.read_text()
    new = re.sub(rf"(<!-- {mark} -->\n).*?(<!-- end -->)", lambda m: m.group(1) + text + "\n" + m.group(2), old, flags=re.S)
    if new == old:
        return True
    if write:
        path.write_text(new)
        return True
    print(f"fips-notes/{page}: the table is out of date: tests/checks/fips_notes.py QHSM --write")
    return False


def self_tests():
    page = (NOTES / "self-tests.md").read_text()
    source = (ROOT / "token/self_test_data.h").read_text()
    named = set(re.findall(r'\.what = "([^"]+)"', source)) | {"RSA-OAEP", "ECDH P-256"}
    missing = sorted(what for what in named if what not in page)
    for what in missing:
        print(f"fips-notes/self-tests.md: no word of {what}")
    return bool(named) and not missing


def main():
    write = "--write" in sys.argv[2:]
    good = [renew("algorithms.md", "algorithms", algorithms(sys.argv[1]), write),
            renew("roles-and-services.md", "services", services(), write), self_tests()]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
