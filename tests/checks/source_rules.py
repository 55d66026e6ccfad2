#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that a machine can check, over the files that git tracks.

Usage: source_rules.py RULE...   (no RULE: all of them)
Prints one line a breach, FILE:LINE: what; exits 1 when there is any.
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("common", "rpc", "token", "cluster", "p11", "kms", "tools")

# docs/architecture.md, the picture of the house: who may include whom.
MAY_INCLUDE = {
    "common": {"common"},
    "rpc": {"rpc", "common"},
    "token": {"token", "common"},
    "cluster": {"cluster", "token", "rpc", "common"},
    "p11": {"p11", "rpc", "common"},
    "kms": {"kms", "rpc", "common"},
    "tools": {"tools", "rpc", "common"},
}
# Which part may use which outside library.
LIBRARIES = {
    r"raft(/.*)?\.h": {"cluster"},
    r"uv\.h": {"cluster"},
    r"openssl/(ssl|bio)\.h": {"rpc", "cluster"},
    r"openssl/.*": {"rpc", "token", "cluster", "p11", "tools", "kms"},
    r"protobuf-c.*": {"rpc"},
    r"ini\.h": {"common"},
    r"microhttpd\.h": {"kms"},
    r"gnutls/.*": {"kms"},
    r"curl/.*": {"kms"},
    r"jansson\.h": {"tools", "kms", "cluster"},
}
LENGTH_FILE, LENGTH_FUNCTION = 800, 60
DUPLICATE_RUN, DUPLICATE_PERCENT = 6, 1
LENGTH_EXEMPT = {"common/cryptoki.h"}  # a table of constants
BANNED = {
    r"\bstrcpy\s*\(": "strcpy", r"\bstrcat\s*\(": "strcat", r"\bsprintf\s*\(": "sprintf", r"\bgets\s*\(": "gets",
    r"\bstrtok\s*\(": "strtok", r"\batoi\s*\(": "atoi", r"\balloca\s*\(": "alloca",
}
BANNED_OUTSIDE_COMMON = {r"(?<![_\w])malloc\s*\(": "malloc", r"(?<![_\w])memcmp\s*\(": "memcmp"}
CLAIMS = re.compile(r"\b(FIPS[- ]validated|validated|certified|tamper-resistant|level 3)\b", re.I)
CLAIM_DENIED = re.compile(r"\b(not|nothing|never|no|nor|isn't|neither|without|non)\b", re.I)


def tracked(*suffixes):
    names = subprocess.run(["git", "-C", ROOT, "ls-files"], check=True, capture_output=True, text=True).stdout.split("\n")
    return [n for n in names if n and (not suffixes or n.endswith(suffixes)) and (ROOT / n).is_file()]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def without_comments(text):
    keep_lines = lambda m: re.sub(r"[^\n]", " ", m.group(0))
    text = re.sub(r"/\*.*?\*/", keep_lines, text, flags=re.S)
    return re.sub(r"//[^\n]*", "", text)


def rule_layers():
    for name in tracked(".c", ".h"):
        part = name.split("/")[0]
        if part not in MAY_INCLUDE:
            continue
        for number, line in enumerate(read(name).split("\n"), 1):
            quoted = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if quoted:
                other = quoted.group(1).split("/")[0]
                if other not in MAY_INCLUDE[part]:
                    yield f"{name}:{number}: {part}/ may not include {quoted.group(1)}"
            angled = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
            if angled:
                for pattern, allowed in LIBRARIES.items():
                    if re.fullmatch(pattern, angled.group(1)):
                        if part not in allowed:
                            yield f"{name}:{number}: {part}/ may not use <{angled.group(1)}>"
                        break


def functions(text):
    """(first line, length, nesting) of each function body, by the house's format: brace alone in column 0."""
    lines = text.split("\n")
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start is not None:
            if line == "}":
                body = lines[start:number - 1]
                depth = 0
                for inner in body:
                    if re.search(r"\b(if|for|while|switch|do|else)\b.*\{$|^\s*\{$", inner):
                        depth = max(depth, (len(inner) - len(inner.lstrip())) // 4)
                yield start, number - start - 1, depth
            start = None


def rule_lengths():
    for name in tracked(".c", ".h"):
        if name in LENGTH_EXEMPT:
            continue
        text = read(name)
        count = text.count("\n")
        if count > LENGTH_FILE:
            yield f"{name}:1: {count} lines, limit {LENGTH_FILE}"
        if name.endswith(".c"):
            for start, length, depth in functions(text):
                if length > LENGTH_FUNCTION:
                    yield f"{name}:{start}: function of {length} lines, limit {LENGTH_FUNCTION}"
                if depth > 3 and not name.startswith("tests/"):
                    yield f"{name}:{start}: nesting of {depth}, limit 3"


def rule_one_place():
    """A mechanism's name stands in the table; code branches on the table's columns."""
    allowed = {"common/cryptoki.h", "common/mechanisms.def"}
    few = re.compile(r"\bCKM_[A-Z0-9_]+\b")
    for name in tracked(".c", ".h"):
        if name in allowed or name.startswith("tests/"):
            continue
        found = {}
        for number, line in enumerate(without_comments(read(name)).split("\n"), 1):
            for word in few.findall(line):
                if word not in ("CKM_VENDOR_DEFINED",):
                    found.setdefault(word, number)
        if name in ONE_PLACE_TABLES:
            continue
        for word, number in found.items():
            yield f"{name}:{number}: {word} belongs in common/mechanisms.def"


# Tables that are facts about mechanisms beyond the columns of mechanisms.def, each the only one of its kind.
ONE_PLACE_TABLES = {
    "common/mechanism.c",       # digests: their mechanism, HMAC, MGF and KDF
    "token/self_test.c",        # known answers
    "token/crypto_self_test.c",
    "tools/bench_cases.c",      # what the bench measures
}


def rule_spdx():
    for name in tracked():
        if name in ("LICENSE",) or name.startswith(("tests/vectors/", "tests/fuzz/seeds/", "tests/golden/", "tests/fixtures/")):
            continue
        if name.endswith((".json", ".gitignore", ".md", ".png", ".svg", ".in", ".conf")) or "/." in "/" + name and name.count(".") == 1:
            continue
        head = "\n".join(read(name).split("\n")[:4])
        if "SPDX-License-Identifier: Apache-2.0" not in head:
            yield f"{name}:1: no SPDX line"


def rule_banned():
    for name in tracked(".c", ".h"):
        text = without_comments(read(name))
        outside = not name.startswith(("common/", "tests/"))
        for number, line in enumerate(text.split("\n"), 1):
            for pattern, word in list(BANNED.items()) + (list(BANNED_OUTSIDE_COMMON.items()) if outside else []):
                if re.search(pattern, line):
                    yield f"{name}:{number}: {word}() is banned here"


def rule_claims():
    """An emulator never claims what only a laboratory can give."""
    for name in tracked(".c", ".h", ".md", ".def", ".7", ".8", ".5", ".1", ".in", ".service"):
        if name.startswith("tests/"):
            continue
        for number, line in enumerate(read(name).split("\n"), 1):
            hit = CLAIMS.search(line)
            if hit and "QuorumHSM" in line and not CLAIM_DENIED.search(line):
                yield f"{name}:{number}: claims to be {hit.group(0)}"


def rule_unfinished():
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    for name in tracked(".c", ".h", ".py", ".sh", ".proto", ".def", ".cmake", ".txt"):
        if name.startswith("tests/checks/source_rules"):
            continue
        for number, line in enumerate(read(name).split("\n"), 1):
            if words.search(line):
                yield f"{name}:{number}: {words.search(line).group(0)}"


def code_lines(name):
    """(line number, text) of what has weight: no blanks, braces, comments or includes, layout evened out."""
    for number, line in enumerate(without_comments(read(name)).split("\n"), 1):
        text = re.sub(r"\s+", " ", line).strip()
        if len(text) > 3 and not text.startswith("#include") and text not in ("break;", "continue;", "} else {"):
            yield number, text


def rule_duplicates():
    """Runs of lines that stand in two files, or twice in one, may not add up to more than 1 % of the code."""
    seen, copied, blocks, total = {}, {}, [], 0
    for name in tracked(".c"):
        if name.split("/")[0] not in PARTS:
            continue
        lines = list(code_lines(name))
        total += len(lines)
        end = 0
        for at in range(len(lines) - DUPLICATE_RUN + 1):
            run = tuple(text for _, text in lines[at:at + DUPLICATE_RUN])
            first = seen.setdefault(run, (name, lines[at][0], at))
            if first[0] == name and first[2] > at - DUPLICATE_RUN:
                continue
            copied.setdefault(name, set()).update(range(at, at + DUPLICATE_RUN))
            if at >= end:
                blocks.append(f"{name}:{lines[at][0]}: as in {first[0]}:{first[1]}")
            end = at + DUPLICATE_RUN
    count = sum(len(numbers) for numbers in copied.values())
    if count * 100 > total * DUPLICATE_PERCENT:
        yield from blocks
        yield f"duplicates: {count} of {total} lines, limit {DUPLICATE_PERCENT} %"


def rule_glob():
    for name in tracked("CMakeLists.txt", ".cmake"):
        for number, line in enumerate(read(name).split("\n"), 1):
            if re.search(r"file\s*\(\s*GLOB", line, re.I):
                yield f"{name}:{number}: file(GLOB): list the files"


RULES = {key[5:]: value for key, value in globals().items() if key.startswith("rule_")}


def main():
    names = sys.argv[1:] or sorted(RULES)
    if names[0] in ("-h", "--help"):
        print(__doc__ + "Rules: " + " ".join(sorted(RULES)))
        return 0
    breaches = 0
    for name in names:
        for breach in RULES[name]():
            print(f"{breach} [{name}]")
            breaches += 1
    print(f"{len(names)} rules, {breaches} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
