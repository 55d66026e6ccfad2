#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare common/cryptoki.h with the PKCS#11 headers of other projects, as Debian packages them.

Whatever both headers name must agree: the value of each constant; the size of each structure, the
function lists among them, with the name, offset and size of its members; the types of each
function's parameters.
Exit status: 0 they agree, 1 they differ, 77 a Debian header is not installed.

usage: cryptoki_constants.py [HEADER ...]     (more headers to compare with, e.g. that of OASIS)
Environment: CC, the C compiler (default cc).
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

OURS = Path(__file__).resolve().parents[2] / "common" / "cryptoki.h"
SKIPPED = 77

# label: (package, header, compiler flags, further headers that hold constants)
DEBIAN = {
    "p11-kit": ("libp11-kit-dev", "/usr/include/p11-kit-1/p11-kit/pkcs11.h",
                ["-DCRYPTOKI_COMPAT=1"], ["/usr/include/p11-kit-1/p11-kit/pkcs11x.h"]),
    # NSS has a name of its own for the short form of the GCM parameters, too.
    "NSS": ("libnss3-dev", "/usr/include/nss/pkcs11n.h",
            ["-I/usr/include/nspr", "-include", "/usr/include/nss/pkcs11.h",
             "-DCK_NSS_GCM_PARAMS=CK_GCM_PARAMS_LEGACY"],
            ["/usr/include/nss/pkcs11t.h"]),
}

# (label, name): why that header is no witness for this name.
EXCEPTIONS = {
    **{(label, f"CKA_TRUST_{use}"): "NSS's older vendor attribute of the same name"
       for label in ("p11-kit", "NSS")
       for use in ("SERVER_AUTH", "CLIENT_AUTH", "CODE_SIGNING", "EMAIL_PROTECTION",
                   "TIME_STAMPING")},
    **{("p11-kit", f"CKR_{what}"): "p11-kit 0.24 departs from 2.40, where NSS agrees with it"
       for what in ("EXCEEDED_MAX_ITERATIONS", "FIPS_SELF_TEST_FAILED", "LIBRARY_LOAD_FAILED",
                    "PIN_TOO_WEAK", "PUBLIC_KEY_INVALID")},
    **{("p11-kit", f"CK_SALSA20_CHACHA20_POLY1305_{what}"): "p11-kit 0.25 says ulNonceBits for the "
       "specification's ulNonceLen, which NSS has too" for what in ("PARAMS", "MSG_PARAMS")},
    ("NSS", "CK_C_INITIALIZE_ARGS"): "NSS adds LibraryParameters",
}


class Header:
    def __init__(self, label, path, flags=(), further=()):
        self.label = label
        self.path = Path(path)
        self.flags = ["-I" + str(self.path.parent), *flags]
        self.constants = evaluate(definitions([self.path, *map(Path, further)]))
        text = preprocess(self)
        self.typedefs, self.structs = parse_types(text)
        self.prototypes = parse_prototypes(text)


def compiler(arguments, **options):
    command = [os.environ.get("CC", "cc"), *arguments]
    done = subprocess.run(command, text=True, capture_output=True, check=False, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr[:2000]}")
    return done.stdout


def preprocess(header):
    return compiler([*header.flags, "-E", "-P", "-x", "c", str(header.path)])


def definitions(paths):
    found = {}
    for path in paths:
        text = path.read_text(encoding="latin-1").replace("\r", "").replace("\\\n", " ")
        text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)
        for name, value in re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+(\S.*)$", text, re.M):
            found.setdefault(name, value.strip())
    return found


def evaluate(texts):
    """The constants among the definitions, as unsigned long; other macros are left out."""
    values = {}
    cast = re.compile(r"\((?:\s*(?:unsigned|long|int|CK_[A-Z_]+))+\s*\)(?=\s*[-~(\w])")

    def value_of(name, seen):
        if name not in values:
            if name in seen or name not in texts:
                raise ValueError(name)
            expression = cast.sub(" ", texts[name])
            expression = re.sub(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]*\b", r"\1", expression)
            expression = re.sub(r"\b[A-Za-z_]\w*\b",
                                lambda m: str(value_of(m[0], seen | {name})), expression)
            if not re.fullmatch(r"[\s0-9a-fA-FxX()|+~<&-]+", expression):
                raise ValueError(name)
            values[name] = eval(expression, {"__builtins__": {}}) & (2**64 - 1)
        return values[name]

    for name in texts:
        if re.match(r"CK[A-Z]?_", name):
            try:
                value_of(name, frozenset())
            except (ValueError, SyntaxError, TypeError):
                pass
    return {name: value for name, value in values.items() if re.match(r"CK[A-Z]?_", name)}


def parse_types(text):
    """The typedefs as name -> C text with its stars, and the structures as CK_ name -> members."""
    bodies, typedefs, structs = {}, {}, {}

    def keep(match):
        bodies[match[1]] = members(match[2])
        return "struct " + match[1]

    text = re.sub(r"struct\s+(\w+)\s*\{([^{}]*)\}", keep, text)
    declarator = r"\**\s*\bCK_\w+"
    statement = rf"\btypedef\s+([\w\s]*?\w)\s*({declarator}(?:\s*,\s*{declarator})*)\s*;"
    for base, declarators in re.findall(statement, text):
        for declarator in declarators.split(","):
            name = declarator.strip("* \n\t")
            typedefs[name] = (base + " " + "*" * declarator.count("*")).strip()
            tag = base.replace("struct", "").strip()
            if tag in bodies and "*" not in declarator:
                structs[name] = bodies[tag]
    for name, target in typedefs.items():
        if target in structs:
            structs.setdefault(name, structs[target])
    return typedefs, structs


def members(body):
    declarations = filter(str.strip, body.split(";"))
    return [re.findall(r"(\w+)\s*(?:\[.*\])?\s*$", d)[0] for d in declarations]


def parse_prototypes(text):
    found = {}
    for name, body in re.findall(r"\bCK_RV\s+(C_\w+)\s*\(([^()]*)\)\s*;", text):
        found[name] = [re.sub(r"\b\w+$", "", p.strip()) for p in body.split(",")]
    return found


def canonical(header, text):
    """One spelling for a parameter's type: typedefs followed, tags in small letters, stars last."""
    stars = text.count("*")
    base = " ".join(text.replace("*", " ").replace("const", " ").split())
    while base in header.typedefs and base not in header.structs:
        target = header.typedefs[base]
        stars += target.count("*")
        base = " ".join(target.replace("*", " ").split())
    base = re.sub(r"^(?:struct )?_*", "", base).lower()
    base = {"unsigned long int": "unsigned long"}.get(base, re.sub(r"_t$", "", base))
    return base + " " + "*" * stars


def layouts(header, names):
    """Size, then offset and size of each member, of each structure, as the compiler has them."""
    lines = [f'#include "{header.path}"', "#include <stddef.h>", "#include <stdio.h>",
             "int main(void) {"]
    for name in names:
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        for member in header.structs[name]:
            lines.append(f'printf("{name} %zu %zu\\n", offsetof({name}, {member}), '
                         f"sizeof((({name} *)0)->{member}));")
    lines.append("return 0; }")
    with tempfile.TemporaryDirectory() as directory:
        source, program = Path(directory, "probe.c"), Path(directory, "probe")
        source.write_text("\n".join(lines) + "\n", encoding="ascii")
        compiler([*header.flags, "-o", str(program), str(source)])
        output = subprocess.run([program], text=True, capture_output=True, check=True).stdout
    found = {}
    for line in output.splitlines():
        name, *numbers = line.split()
        found.setdefault(name, []).append(" ".join(numbers))
    return found


def compare(ours, theirs):
    """Report every disagreement; return how many there are."""
    wrong = 0

    def both(mine, other):
        return [n for n in mine if n in other and (theirs.label, n) not in EXCEPTIONS]

    def differ(name, mine, other):
        nonlocal wrong
        wrong += 1
        print(f"{name}: ours {mine}, {theirs.label} {other}")

    constants = both(ours.constants, theirs.constants)
    for name in constants:
        if ours.constants[name] != theirs.constants[name]:
            differ(name, hex(ours.constants[name]), hex(theirs.constants[name]))

    structs = both(ours.structs, theirs.structs)
    mine, other = layouts(ours, structs), layouts(theirs, structs)
    for name in structs:
        if ours.structs[name] != theirs.structs[name]:
            differ(name, ours.structs[name], theirs.structs[name])
        elif mine[name] != other[name]:
            differ(name, mine[name], other[name])

    functions = both(ours.prototypes, theirs.prototypes)
    for name in functions:
        types = [[canonical(h, p) for p in h.prototypes[name]] for h in (ours, theirs)]
        if types[0] != types[1]:
            differ(name, *types)

    print(f"{theirs.label}: compared {len(constants)} constants, {len(structs)} structures, "
          f"{len(functions)} functions; {wrong} differences")
    if not (constants and structs and functions):
        differ("comparison", "something to compare", "nothing: the header was not understood")
    return wrong


def main(arguments):
    ours = Header("ours", OURS)
    wrong, missing = 0, False
    for name in sorted(definitions([OURS]).keys() - ours.constants.keys()):
        if re.match(r"CK[A-Z]_", name):
            wrong += 1
            print(f"{name}: its value cannot be computed")
    for label, (package, path, flags, further) in DEBIAN.items():
        absent = [p for p in (path, *further) if not Path(p).exists()]
        if absent:
            missing = True
            print(f"{label}: not compared, {absent[0]} is missing (Debian package {package})")
            continue
        wrong += compare(ours, Header(label, path, flags, further))
    for path in arguments:
        further = [p for p in (Path(path).with_name("pkcs11t.h"),) if p.exists()]
        wrong += compare(ours, Header(path, path, (), further))
    return 1 if wrong else SKIPPED if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
