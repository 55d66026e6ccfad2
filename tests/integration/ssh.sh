#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# OpenSSH: list keys, log in with a key of the HSM through the agent and without, sign certificates as a CA.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen ssh-agent ssh-add pkcs11-tool
[ -x /usr/sbin/sshd ] || skip "sshd is not installed"
start_cluster
p11_user --keypairgen --key-type rsa:2048 --label ssh-rsa --id 01
p11_user --keypairgen --key-type EC:prime256v1 --label ssh-ec --id 02

step "ssh-keygen -D lists the public keys"
ssh-keygen -D "$QHSM_MODULE" >"$work/keys"
grep -q ^ssh-rsa "$work/keys"
grep -q ^ecdsa-sha2-nistp256 "$work/keys"

step "a server"
ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
grep ecdsa "$work/keys" >"$work/authorized_keys"
grep ssh-rsa "$work/keys" >>"$work/authorized_keys"
chmod 0600 "$work/authorized_keys"
port=$(free_port)
mkdir -p /run/sshd 2>/dev/null || true
cat >"$work/sshd_config" <<EOF
Port $port
ListenAddress 127.0.0.1
HostKey $work/host_key
AuthorizedKeysFile $work/authorized_keys
TrustedUserCAKeys $work/ca.pub
PidFile $work/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
EOF
grep ecdsa "$work/keys" >"$work/ca.pub"
/usr/sbin/sshd -f "$work/sshd_config" -E "$work/sshd.log"
wait_for 5 test -s "$work/sshd.pid"
pids+=("$(cat "$work/sshd.pid")")
login() { ssh -p "$port" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes \
    "$(id -un)@127.0.0.1" echo logged-in; }
cat >"$work/askpass" <<EOF
#!/bin/sh
echo "$QHSM_USER_PIN"
EOF
chmod 0700 "$work/askpass"

step "login with the module named to ssh"
SSH_ASKPASS=$work/askpass SSH_ASKPASS_REQUIRE=force ssh -p "$port" -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentityAgent=none -I "$QHSM_MODULE" \
    "$(id -un)@127.0.0.1" echo logged-in >"$work/said"
grep -qx logged-in "$work/said"

step "login through the agent"
eval "$(ssh-agent -s -P "$QHSM_MODULE")" >/dev/null
pids+=("$SSH_AGENT_PID")
SSH_ASKPASS=$work/askpass SSH_ASKPASS_REQUIRE=force ssh-add -s "$QHSM_MODULE"
ssh-add -l >"$work/agent"
grep -q ECDSA "$work/agent"
login >"$work/said"
grep -qx logged-in "$work/said"

step "certificates signed by a CA key in the HSM"
ssh-keygen -q -t ed25519 -N '' -f "$work/user_key"
ssh-keygen -q -s "$work/ca.pub" -U -I tester -n "$(id -un)" -V +1h "$work/user_key.pub"
ssh-keygen -L -f "$work/user_key-cert.pub" >"$work/certificate"
grep -q 'Signing CA: ECDSA' "$work/certificate"
: >"$work/authorized_keys"
env -u SSH_AUTH_SOCK ssh -p "$port" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
    -o BatchMode=yes -i "$work/user_key" "$(id -un)@127.0.0.1" echo logged-in >"$work/said"
grep -qx logged-in "$work/said"
