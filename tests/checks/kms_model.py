#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the table of KMS operations, as tests/golden/kms_operations.txt pictures it, with AWS's API model in botocore.

Usage: kms_model.py
For each operation that the model knows: the members, which of them are required, types, limits, patterns, and choices in the
model's order. The model may be older than the table: what it does not know is passed over. Exits 77 without botocore.
"""
import gzip
import json
import re
import sys
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "kms_operations.txt"
# What the service limits and the model does not.
OURS = {"Operations", "EncryptionContext", "SourceEncryptionContext", "DestinationEncryptionContext"}
# Members that models loosen or tighten with time: the table has what the one with all its operations says.
CHANGED = {"CloudHsmClusterId", "XksProxyVpcEndpointServiceName", "CiphertextBlob", "PolicyName"}


def model():
    try:
        import botocore
    except ImportError:
        return None
    for name in sorted((Path(botocore.__file__).parent / "data" / "kms").glob("*/service-2.json*")):
        opened = gzip.open(name) if name.suffix == ".gz" else open(name, "rb")
        with opened as file:
            return json.load(file)
    return None


def table():
    """{operation: {member: (type, words)}}"""
    found, members = {}, None
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            members = found.setdefault(line.split()[0], {})
            continue
        name, kind, *words = line.split()
        members[name] = (kind, words)
    return found


def kind_of(shape, shapes):
    if shape["type"] != "list":
        return shape["type"]
    return "tags" if shapes[shape["member"]["shape"]]["type"] == "structure" else "strings"


def choices_of(shape, shapes):
    if shape["type"] == "list":
        shape = shapes[shape["member"]["shape"]]
    return shape.get("enum", [])


def compare(where, ours, shape, shapes, required):
    kind, words = ours
    if kind != kind_of(shape, shapes):
        yield f"{where}: is {kind}, in the model {kind_of(shape, shapes)}"
    if ("required" in words) != required:
        yield f"{where}: required is {'required' in words}, in the model {required}"
    limits = [word for word in words if re.fullmatch(r"\d+\.\.\d+", word) and words[words.index(word) - 1] != "each"]
    wanted = f"{shape.get('min', 0)}..{shape['max']}" if "max" in shape else None
    if where.split(".")[1] not in OURS and (limits[0] if limits else None) != wanted:
        yield f"{where}: limits {limits}, in the model {wanted}"
    patterns = [word[1:-1] for word in words if word.startswith("/")]
    if shape["type"] == "string" and (patterns[0] if patterns else None) != shape.get("pattern"):
        yield f"{where}: pattern {patterns}, in the model {shape.get('pattern')}"
    known = choices_of(shape, shapes)
    choices = [word for word in words if known and set(word.split("|")) & set(known)]
    listed = choices[0].split("|") if choices else []
    if [choice for choice in listed if choice in known] != known:
        yield f"{where}: choices {listed}, in the model {known}"


def main():
    service = model()
    if service is None:
        print("botocore is not installed: nothing to compare with")
        return 77
    shapes, ours, breaches, count = service["shapes"], table(), [], 0
    is_old = len(service["operations"]) < len(ours)
    for name, operation in service["operations"].items():
        shape = shapes[operation["input"]["shape"]]
        if name not in ours:
            breaches.append(f"{name}: not in the table")
            continue
        count += 1
        for member, reference in shape["members"].items():
            where = f"{name}.{member}"
            if member not in ours[name]:
                breaches.append(f"{where}: not in the table")
                continue
            if is_old and member in CHANGED:
                continue
            breaches += compare(where, ours[name][member], shapes[reference["shape"]], shapes, member in shape.get("required", []))
    for breach in breaches:
        print(breach)
    print(f"{count} operations of the model's {service['metadata'].get('apiVersion')}, {len(breaches)} differences")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
