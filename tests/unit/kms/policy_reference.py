#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second evaluator of policies, from AWS's documentation alone, against the front end's.

Usage: policy_reference.py PROGRAM   (tests/unit/kms/policy_differential.c)

Enumerates small policies (statements of a small vocabulary, one or two in a key policy, with identity policy,
permissions boundary, session policy, grant, callers of two accounts, contexts), decides each case here, has
PROGRAM decide it, and compares. Sources: IAM User Guide, "Policy evaluation logic", "JSON policy elements";
AWS KMS Developer Guide, "Key policies", "Grants".
"""
import base64
import datetime
import functools
import ipaddress
import itertools
import json
import re
import subprocess
import sys
import time

HOME, OTHER = "111122223333", "444455556666"
KEY = f"arn:aws:kms:us-east-1:{HOME}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ALICE = f"arn:aws:iam::{HOME}:user/alice"
ROOT = f"arn:aws:iam::{HOME}:root"
ROLE = f"arn:aws:iam::{HOME}:role/worker"
SESSION = f"arn:aws:sts::{HOME}:assumed-role/worker/s1"
BOB = f"arn:aws:iam::{OTHER}:user/bob"
OTHER_ROOT = f"arn:aws:iam::{OTHER}:root"
OTHER_ROLE = f"arn:aws:iam::{OTHER}:role/worker"
OTHER_SESSION = f"arn:aws:sts::{OTHER}:assumed-role/worker/s1"
CALLERS = [ALICE, SESSION, ROOT, BOB, OTHER_SESSION, OTHER_ROOT, ROLE]  # the last for grants alone
ACTIONS = ["kms:Encrypt", "kms:Decrypt"]


# ---- the caller

def account_of(arn):
    return arn.split(":")[4]


def role_of(arn):
    parts = arn.split(":")
    if not parts[5].startswith("assumed-role/"):
        return None
    return f"arn:aws:iam::{parts[4]}:role/{parts[5].split('/')[1]}"


def is_root(arn):
    return arn.endswith(":root")


# ---- texts with wildcards and variables

class Unresolved(Exception):
    """A variable that the request has no value for."""


def value_of(context, name):
    """Names of keys have no case, names of tags in them neither."""
    return next((value for known, value in context.items() if known.lower() == name.lower()), None)


def regex_of(text, wild, context):
    out = ""
    for part in re.findall(r"\$\{[^}]*\}|[^$*?]+|.", text, re.S):
        if part.startswith("${"):
            name = part[2:-1]
            if name in "*?$" and name:
                out += re.escape(name)
                continue
            name, _, default = name.partition(",")
            value = value_of(context, name)
            if not isinstance(value, str):
                if not default:
                    raise Unresolved(name)
                value = default.strip()[1:-1]
            out += re.escape(value)
        elif wild and part == "*":
            out += ".*"
        elif wild and part == "?":
            out += "."
        else:
            out += re.escape(part)
    return out


@functools.lru_cache(maxsize=None)
def compiled(text, wild, fold, context):
    return re.compile(regex_of(text, wild, dict(context)), re.S | (re.I if fold else 0))


def like(text, value, context, wild=True, fold=False):
    known = frozenset((k, v) for k, v in context.items() if isinstance(v, str)) if "${" in text else frozenset()
    return compiled(text, wild, fold, known).fullmatch(value) is not None


def arn_like(text, value, context):
    if not value.startswith("arn:") or value.count(":") < 5:
        return False
    if ":" not in re.sub(r"\$\{[^}]*\}", "", text):
        return like(text, value, context)
    wanted = re.split(r":(?![^{]*\})", text, maxsplit=5)
    if len(wanted) != 6:
        return False
    return all(like(w, v, context) for w, v in zip(wanted, value.split(":", 5)))


def any_of(test, wanted):
    """True when one of the wanted values matches; Unresolved when none does and one could not be told."""
    unresolved = None
    for one in wanted:
        try:
            if test(one):
                return True
        except Unresolved as error:
            unresolved = error
    if unresolved:
        raise unresolved
    return False


# ---- conditions

def moment(text):
    if re.fullmatch(r"[0-9.]{5,}", text):
        return float(text)
    text = text.replace("Z", "+00:00")
    if "T" not in text:
        text += "T00:00:00"
    value = datetime.datetime.fromisoformat(text)
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.timezone.utc)
    return value.timestamp()


def in_network(network, value):
    address = ipaddress.ip_address(value)
    network = ipaddress.ip_network(network)
    return address.version == network.version and address in network


ORDER = {"Equals": lambda a, b: a == b, "LessThan": lambda a, b: a < b, "LessThanEquals": lambda a, b: a <= b,
         "GreaterThan": lambda a, b: a > b, "GreaterThanEquals": lambda a, b: a >= b}


def one_matches(operator, wanted, value, context):
    """Does a value of the request match one of the policy, leaving aside any Not of the operator?"""
    plain = operator.replace("Not", "")
    try:
        if plain == "StringEquals":
            return like(wanted, value, context, wild=False)
        if plain == "StringEqualsIgnoreCase":
            return like(wanted, value, context, wild=False, fold=True)
        if plain == "StringLike":
            return like(wanted, value, context)
        if plain in ("ArnEquals", "ArnLike"):
            return arn_like(wanted, value, context)
        if plain == "Bool":
            return value.lower() == wanted.lower()
        if plain == "BinaryEquals":
            return base64.b64decode(wanted, validate=True) == base64.b64decode(value, validate=True)
        if plain == "IpAddress":
            return in_network(wanted, value)
        if plain.startswith("Numeric"):
            return ORDER[plain[7:]](float(value), float(wanted))
        return ORDER[plain[4:]](moment(value), moment(wanted))
    except ValueError:  # the request's value is of another type
        return False


def condition_holds(operator, key, wanted, context, effect):
    qualifier, _, operator = operator.rpartition(":")
    if_exists = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    values = value_of(context, key)
    if operator == "Null":
        return any((one == "true") == (values is None) for one in wanted)
    negated = "Not" in operator
    if values is None:
        # IfExists: true. ForAllValues: true. ForAnyValue: false. Else only what is negated is true.
        return if_exists or qualifier == "ForAllValues" or (not qualifier and negated)

    def holds(value):
        try:
            matches = any_of(lambda one: one_matches(operator, one, value, context), wanted)
        except Unresolved:  # opens nothing
            return negated and effect == "Deny"
        return matches != negated

    results = [holds(v) for v in (values if isinstance(values, list) else [values])]
    if qualifier == "ForAllValues" or (not qualifier and negated):
        return all(results)
    return any(results)


# ---- statements

def principal_naming(principal, caller):
    """0: not named, 1: by account, 2: by role or "*" of a session, 3: itself."""
    role, best = role_of(caller), 0
    names = ["*"] if principal == "*" else principal.get("AWS", [])
    for name in [names] if isinstance(names, str) else names:
        if name == "*":
            best = max(best, 2 if role else 3)
        elif name == caller and not is_root(name):
            best = max(best, 3)
        elif name == role:
            best = max(best, 2)
        elif name in (account_of(caller), f"arn:aws:iam::{account_of(caller)}:root"):
            best = max(best, 1)
    return best


def excepted(principal, caller):
    """NotPrincipal excepts a caller whose account, role and own name are all listed."""
    names = principal["AWS"]
    if f"arn:aws:iam::{account_of(caller)}:root" not in names:
        return False
    if is_root(caller):
        return True
    return caller in names and (role_of(caller) is None or role_of(caller) in names)


def listed(test, statement, name, effect):
    """X or NotX, as the statement has it."""
    wanted = statement.get(name, statement.get("Not" + name))
    negated = "Not" + name in statement
    try:
        return any_of(test, [wanted] if isinstance(wanted, str) else wanted) != negated
    except Unresolved:
        return negated and effect == "Deny"


def statement_naming(statement, caller, action, resource, context):
    effect = statement["Effect"]
    if not listed(lambda one: like(one, action, {}, fold=True), statement, "Action", effect):
        return 0
    if not listed(lambda one: like(one, resource, context), statement, "Resource", effect):
        return 0
    for operator, keys in statement.get("Condition", {}).items():
        for key, wanted in keys.items():
            if not condition_holds(operator, key, wanted if isinstance(wanted, list) else [wanted], context, effect):
                return 0
    if "Principal" in statement:
        return principal_naming(statement["Principal"], caller)
    if "NotPrincipal" in statement:
        return 0 if excepted(statement["NotPrincipal"], caller) else 3
    return 3


class Case:
    """Everything that is enumerated, by number, so that results of single policies can be kept."""

    def __init__(self):
        self.keys, self.own, self.contexts = [], [], []

    @functools.lru_cache(maxsize=None)
    def result(self, kind, number, caller, action, context, resource):
        """("Deny", 0), ("Allow", closest naming), or None."""
        policy = (self.keys if kind == "K" else self.own)[number]
        best = 0
        for statement in policy["Statement"]:
            naming = statement_naming(statement, CALLERS[caller], ACTIONS[action], resource, self.contexts[context])
            if naming and statement["Effect"] == "Deny":
                return ("Deny", 0)
            best = max(best, naming)
        return ("Allow", best) if best else None

    def verdict(self, caller, action, key, own, boundary, session, context, grant):
        resource = KEY if key >= 0 else "*"
        arn = CALLERS[caller]
        look = lambda number: None if number < 0 else self.result("I", number, caller, action, context, resource)
        results = {"own": look(own), "boundary": look(boundary), "session": look(session)}
        of_key = None if key < 0 else self.result("K", key, caller, action, context, resource)
        if ("Deny", 0) in (of_key, *results.values()):
            return "D"
        within = (boundary < 0 or results["boundary"]) and (session < 0 or results["session"])
        iam = (results["own"] is not None or is_root(arn)) and within
        granted = grant >= 0 and action == 0 and CALLERS[grant] in (arn, role_of(arn))
        if key < 0:
            return "A" if iam else "N"
        if account_of(arn) != HOME:
            return "A" if (of_key or granted) and iam else "N"
        if of_key:
            naming = of_key[1]
            if naming == 3 or (naming == 2 and within) or (naming == 1 and iam):
                return "A"
        if granted and (CALLERS[grant] == arn or within):
            return "A"
        return "N"


# ---- what is enumerated

def product(**choices):
    for values in itertools.product(*choices.values()):
        out = {}
        for part in values:
            out.update(part)
        yield out


EFFECTS = [{"Effect": "Allow"}, {"Effect": "Deny"}]
WHAT = [{"Action": "kms:Encrypt"}, {"Action": ["s3:Get*", "KMS:*"]}, {"NotAction": "kms:encrypt"}, {"Action": "kms:D?crypt"}]
WHERE = [{"Resource": "*"}, {"Resource": KEY}, {"NotResource": KEY}, {"Resource": "arn:aws:kms:*:444*:key/*"},
         {"Resource": "arn:aws:kms:us-east-1:${x:account}:key/*"}, {"NotResource": ["arn:${x:none}", "arn:aws:s3:::b"]}]
WHEN = [{}, {"Condition": {"StringEquals": {"x:a": "1"}}}, {"Condition": {"StringNotEquals": {"x:a": "1"}}},
        {"Condition": {"NumericLessThan": {"x:b": "5"}, "BoolIfExists": {"x:c": "true"}}}]
WHO = [{"Principal": "*"}] + [{"Principal": {"AWS": p}} for p in (
    ROOT, ALICE, ROLE, SESSION, OTHER, BOB, OTHER_ROLE, OTHER_SESSION, [ALICE, OTHER])]
NOT_WHO = [{"NotPrincipal": {"AWS": p}} for p in (
    [ALICE, ROOT], [ROOT], [ALICE], [SESSION, ROLE, ROOT], [SESSION, ROOT], [BOB, OTHER_ROOT, ALICE, ROOT])]
CONTEXTS = [{}, {"x:a": "1", "x:b": "4", "x:account": HOME}, {"x:a": "2", "x:b": "7", "x:c": "false"}]
DELEGATES = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def numbers(out, policies):
    first = len(out)
    out.extend(policies)
    return range(first, len(out))


def enumerate_cases(case):
    """Yields the numbers of each case: caller, action, key, own, boundary, session, context, grant."""
    callers = range(6)
    case.contexts.extend(CONTEXTS)
    plain = numbers(case.own, [
        policy(EVERYTHING), policy({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}),
        policy({"Effect": "Allow", "Action": "kms:E*", "Resource": KEY}),
        policy({"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"}, EVERYTHING)])
    some = [-1, *plain]
    # one statement in the key policy
    single = numbers(case.keys, [policy(s) for s in (
        *product(effect=EFFECTS, what=WHAT, where=WHERE[:3], when=WHEN, who=WHO),
        *product(effect=EFFECTS[1:], what=WHAT, where=WHERE[:1], when=WHEN, who=NOT_WHO))])
    yield from itertools.product(callers, [0], single, [-1, plain[0]], [-1], [-1], range(3), [-1])
    yield from itertools.product(callers, [1], single, [plain[1]], [-1], [-1], [1], [-1])
    # two
    few = list(product(effect=EFFECTS, what=WHAT[:1], where=WHERE[:1], when=WHEN[:2], who=WHO[:8])) + [DELEGATES]
    pairs = numbers(case.keys, [policy(a, b) for a, b in itertools.product(few, few)])
    yield from itertools.product(callers, [0], pairs, [-1, plain[0]], [-1, plain[1]], [-1], [1], [-1])
    yield from itertools.product([1, 4], [0], pairs, [-1, plain[0]], [-1], [plain[1]], [1], [-1])
    # identity policies of one and two statements, with and without a key
    own = list(product(effect=EFFECTS, what=WHAT, where=WHERE, when=WHEN))
    alone = numbers(case.own, [policy(s) for s in own] + [policy(a, b) for a, b in itertools.product(own[::7], own[::11])])
    known = numbers(case.keys, [policy(DELEGATES), policy({**DELEGATES, "Principal": {"AWS": [BOB, ALICE]}})])
    yield from itertools.product([0, 1, 3], range(2), [-1, *known], alone, [-1], [-1], range(3), [-1])
    # boundary, session policy and grants
    yield from itertools.product(callers, range(2), [-1, *known, *single[:12]], some, some, some, [0], [-1])
    yield from itertools.product(callers, range(2), [*known, *single[:10], *pairs[::67]], some, [-1, plain[1]],
                                 [-1, plain[2]], [0], [0, 3, 6])
    yield from enumerate_conditions(case)


FAMILIES = [
    (["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase",
      "StringNotEqualsIgnoreCase"],
     [["a"], ["a", "b"], ["a*"], ["A"], ["?"], [""], ["${x:name}"], ["${x:none}"], ["${x:none, 'a'}"],
      ["${x:none}", "b"], ["${*}"]],
     ["a", "b", "ab", "A", "", "a*", "*", ["a", "b"], ["b"], ["a", "c"]]),
    (["Numeric" + o for o in ("Equals", "NotEquals", *list(ORDER)[1:])], [["10"], ["5", "20"], ["-1.5"]],
     ["10", "10.0", "7", "-2", "x", ["1", "10"]]),
    (["Date" + o for o in ("Equals", "NotEquals", *list(ORDER)[1:])],
     [["2020-04-01T00:00:00Z"], ["1585699200"], ["2020-04-01", "2021-01-01T00:00:00+02:00"]],
     ["2020-04-01T00:00:00Z", "2020-04-01T01:00:00+01:00", "2019-12-31", "1585699201", "x"]),
    (["Bool"], [["true"], ["false"], ["true", "false"]], ["true", "false", "True", "x", ["true", "false"]]),
    (["BinaryEquals"], [["QQ=="], ["QUI=", "QQ=="]], ["QQ==", "QUI=", "qq=="]),
    (["IpAddress", "NotIpAddress"], [["10.0.0.0/8"], ["10.1.2.3", "2001:db8::/32"], ["0.0.0.0/0"], ["::/0"], ["10.1.2.128/25"]],
     ["10.1.2.3", "10.1.2.200", "11.0.0.1", "2001:db8::1", "2001:db9::1", "x"]),
    (["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"],
     [[ALICE], [f"arn:aws:iam::{HOME}:*"], ["arn:aws:*:user/alice"], ["*"], ["arn:*:iam::*:user/?lice", ROLE],
      ["${x:arn}"], [f"arn:aws:iam::{HOME}:user/${{x:name}}"], ["arn:aws:iam::${x:none}:root"]],
     [ALICE, BOB, ROLE, "alice", KEY, "arn:aws:iam::111122223333:user/a", [ALICE, BOB]]),
    (["Null"], [["true"], ["false"], ["true", "false"]], ["a", ["a", "b"]]),
]


def enumerate_conditions(case):
    for operators, wanted, values in FAMILIES:
        keys = []
        for operator, one in itertools.product(operators, wanted):
            forms = [operator] if operator == "Null" else [
                q + operator + s for q in ("", "ForAllValues:", "ForAnyValue:") for s in ("", "IfExists")]
            for form in forms:
                when = {"Condition": {form: {"x:v": one}}}
                keys.append(policy({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", **when}))
                keys.append(policy({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
                                   {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", **when}))
        contexts = [{}, {"x:name": "a"}] + [{"x:v": v, "x:name": "a", "x:arn": ALICE} for v in values]
        yield from itertools.product([0], [0], numbers(case.keys, keys), [-1], [-1], [-1],
                                     numbers(case.contexts, contexts), [-1])
    yield from enumerate_names(case)


def enumerate_names(case):
    """Conditions and variables by every spelling of a key's and a tag's name."""
    names = ["aws:RequestTag/Team", "AWS:requesttag/team", "aws:RequestTag/TEAM", "aws:RequestTag/Teams", "aws:ResourceTag/team"]
    whens = [{"Condition": {operator: {name: "red"}}} for operator in ("StringEquals", "StringNotEquals") for name in names]
    whens += [{"Condition": {"StringEquals": {"x:a": f"${{{name}}}"}}} for name in names]
    keys = [policy({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", **when}) for when in whens]
    contexts = [{"x:a": "red", name: value} for name in names for value in ("red", "blue")]
    yield from itertools.product([0], [0], numbers(case.keys, keys), [-1], [-1], [-1],
                                 numbers(case.contexts, contexts), [-1])


def main(program):
    started = time.monotonic()
    case = Case()
    cases = list(enumerate_cases(case))
    lines = ["U " + arn for arn in CALLERS]
    lines += ["K " + json.dumps(p) for p in case.keys] + ["I " + json.dumps(p) for p in case.own]
    lines += ["X " + json.dumps(c) for c in case.contexts]
    lines += ["C %d %d %d %d %d %d %d %d" % c for c in cases]
    answer = subprocess.run([program], input="\n".join(lines) + "\n", text=True, stdout=subprocess.PIPE, check=True).stdout
    if len(answer) != len(cases):
        sys.exit(f"{len(answer)} answers to {len(cases)} cases")
    wrong, counts = 0, dict.fromkeys("ADN", 0)
    for numbers_of, theirs in zip(cases, answer):
        ours = case.verdict(*numbers_of)
        counts[ours] += 1
        if ours == theirs:
            continue
        wrong += 1
        if wrong <= 10:
            caller, action, key, own, boundary, session, context, grant = numbers_of
            print(f"reference {ours}, program {theirs}: {CALLERS[caller]} {ACTIONS[action]} with {case.contexts[context]}"
                  f"{' and a grant to ' + CALLERS[grant] if grant >= 0 else ''}")
            for name, number, policies in (("key", key, case.keys), ("identity", own, case.own),
                                           ("boundary", boundary, case.own), ("session", session, case.own)):
                if number >= 0:
                    print(f"   {name}: {json.dumps(policies[number]['Statement'])}")
    print(f"{len(cases)} cases, {counts['A']} allowed, {counts['D']} denied, {counts['N']} not allowed; "
          f"{wrong} differ; {time.monotonic() - started:.1f} s")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
