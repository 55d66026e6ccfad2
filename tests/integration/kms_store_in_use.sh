#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ConnectCustomKeyStore while an application is logged in as kmsuser, at any HSM of the store's cluster: USER_LOGGED_IN, and kmsuser's
# password stays as it is.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kms_store_lib.sh"
need python3
start_both_clusters 3
make_store

# An application that logs in as kmsuser, and out, when it is told so.
cat >"$work/session.py" <<'PY'
import ctypes, os, sys
INITIALIZE, GET_SLOT_LIST, OPEN_SESSION, LOGIN, LOGOUT = 0, 4, 12, 18, 19  # places in CK_FUNCTION_LIST
library = ctypes.CDLL(os.environ["QHSM_MODULE"])
functions = ctypes.POINTER(ctypes.c_void_p)()
assert library.C_GetFunctionList(ctypes.byref(functions)) == 0
def call(place, *arguments):
    rv = ctypes.CFUNCTYPE(ctypes.c_ulong)(functions[1 + place])
    rv.argtypes = [type(a) for a in arguments]
    code = rv(*arguments)
    assert code == 0, (place, hex(code))
slots, count, session = (ctypes.c_ulong * 16)(), ctypes.c_ulong(16), ctypes.c_ulong()
call(INITIALIZE, ctypes.c_void_p())
call(GET_SLOT_LIST, ctypes.c_ubyte(1), ctypes.cast(slots, ctypes.c_void_p), ctypes.cast(ctypes.byref(count), ctypes.c_void_p))
call(OPEN_SESSION, ctypes.c_ulong(slots[0]), ctypes.c_ulong(6), ctypes.c_void_p(), ctypes.c_void_p(),
     ctypes.cast(ctypes.byref(session), ctypes.c_void_p))
for word in sys.stdin:
    if word.strip() == "login":
        pin = b"kmsuser:" + open(sys.argv[1], "rb").read()
        call(LOGIN, session, ctypes.c_ulong(1), ctypes.c_char_p(pin), ctypes.c_ulong(len(pin)))
    else:
        call(LOGOUT, session)
    print(word.strip(), flush=True)
PY
hold() { # client configuration of the development cluster: env, env.b ...
    coproc SESSION { # shellcheck disable=SC1090
        . "$store_dir/$1"
        exec python3 "$work/session.py" "$work/kmsuser"
    }
}
tell() {
    printf '%s\n' "$1" >&"${SESSION[1]}"
    read -r -t 20 answer <&"${SESSION[0]}" && [ "$answer" = "$1" ] || fail "the application did not $1"
}
let_go() {
    local pid=$SESSION_PID
    exec {SESSION[1]}>&-
    wait "$pid" || true
}

step "an application is logged in as kmsuser in another zone than the one that KMS asks"
hold env.c
tell login
connect FAILED USER_LOGGED_IN
other "$QHSM" key list --token dev --user kmsuser --pin-file "$work/kmsuser" >/dev/null || fail "kmsuser's password was changed"
grep -q 'code=USER_LOGGED_IN connections=1' "$cluster"/kms/*.log
grep -q 'user_in_use.* user=kmsuser ' "$store_dir"/zone-c/qhsmd.log || fail "the HSM does not say who it is"

step "who logs in again is in use again"
disconnect
tell logout
tell login
connect FAILED USER_LOGGED_IN
disconnect

step "after the logout the store is connected, with the application still there"
tell logout
connect CONNECTED
must_fail 'PIN_INCORRECT|wrong PIN' other "$QHSM" key list --token dev --user kmsuser --pin-file "$work/kmsuser"
other "$QHSM" user unlock kmsuser --token dev --pin-file "$work/so" >/dev/null

step "KMS's own logins do not count: the store is connected again, and used"
disconnect
connect CONNECTED
id=$(kms create-key --origin AWS_CLOUDHSM --custom-key-store-id "$store" | json 'd["KeyMetadata"]["KeyId"]')
kms encrypt --key-id "$id" --plaintext "$(printf kept | base64)" >/dev/null
let_go
"$QHSM" kms down --dir "$cluster"
