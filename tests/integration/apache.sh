#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Apache httpd, prefork, workers of another user, key in the HSM.
. "$(dirname "$0")/lib.sh"
need curl openssl pkcs11-tool apache2
[ "$(id -u)" -eq 0 ] || skip "only root can start workers of another user"
modules=/usr/lib/apache2/modules
[ -e "$modules/mod_mpm_prefork.so" ] || skip "apache2's modules are not installed"
[ -e "/usr/lib/$(multiarch)/engines-3/pkcs11.so" ] || skip "libp11's engine is not installed"
start_cluster
engine_config "$work/engine.cnf"
chmod 0644 "$work/engine.cnf"
p11_user --keypairgen --key-type rsa:2048 --label web --id 01
OPENSSL_CONF=$work/engine.cnf openssl req -new -x509 -engine pkcs11 -keyform engine -key "$(uri web private)" \
    -subj "/CN=localhost" -days 30 -out "$work/web.pem"
port=$(free_port)
mkdir -p "$work/www"
echo served >"$work/www/index.html"
chmod 0755 "$work/www"
cat >"$work/apache.conf" <<EOF
ServerRoot $work
ServerName localhost
PidFile $work/apache.pid
DefaultRuntimeDir $work
Mutex fcntl:$work
ErrorLog $work/apache-error.log
LoadModule mpm_prefork_module $modules/mod_mpm_prefork.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule dir_module $modules/mod_dir.so
LoadModule socache_shmcb_module $modules/mod_socache_shmcb.so
LoadModule ssl_module $modules/mod_ssl.so
User www-data
Group www-data
StartServers 4
MaxRequestWorkers 8
Listen 127.0.0.1:$port
DocumentRoot $work/www
DirectoryIndex index.html
SSLCryptoDevice pkcs11
SSLSessionCache none
SSLSessionTickets off
<VirtualHost 127.0.0.1:$port>
SSLEngine on
SSLCertificateFile $work/web.pem
SSLCertificateKeyFile "$(uri web private)"
</VirtualHost>
EOF
step "start"
OPENSSL_CONF=$work/engine.cnf apache2 -f "$work/apache.conf" -k start >"$work/apache-start.log" 2>&1
wait_for 5 test -s "$work/apache.pid"
pids+=("$(cat "$work/apache.pid")")
get() { curl -sS --fail --cacert "$work/web.pem" "https://localhost:$port/" --resolve "localhost:$port:127.0.0.1"; }
wait_for 5 get
step "400 handshakes, 8 at once"
seq 400 | xargs -P 8 -I{} curl -sk -o /dev/null --fail "https://127.0.0.1:$port/" || fail "a handshake failed"
step "graceful restart"
OPENSSL_CONF=$work/engine.cnf apache2 -f "$work/apache.conf" -k graceful
sleep 1
get | grep -qx served
