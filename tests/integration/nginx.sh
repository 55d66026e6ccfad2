# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the nginx tests share: master as root, workers as another user, keys in the HSM.
nginx_self_signed() { # label, key type of pkcs11-tool, id: key in the HSM and $work/LABEL.pem by the engine
    p11_user --keypairgen --key-type "$2" --label "$1" --id "$3"
    OPENSSL_CONF=$work/engine.cnf openssl req -new -x509 -engine pkcs11 -keyform engine -key "$(uri "$1" private)" \
        -subj "/CN=localhost" -days 30 -sha256 -out "$work/$1.pem"
}

nginx_config() { # file, port, key prefix ("engine:pkcs11:" or "store:"), extra main lines
    cat >"$1" <<EOF
$4
env QHSM_CONF=$QHSM_CONF;
env PKCS11_MODULE_PATH=$QHSM_MODULE;
env OPENSSL_CONF;
worker_processes 2;
pid $work/nginx.pid;
error_log $work/nginx-error.log info;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3;
    uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
    ssl_protocols TLSv1.3 TLSv1.2;
    ssl_session_cache off;
    ssl_session_tickets off;
    server {
        listen 127.0.0.1:$2 ssl;
        ssl_certificate $work/rsa.pem;
        ssl_certificate_key "$3$(uri rsa private)";
        ssl_certificate $work/ec.pem;
        ssl_certificate_key "$3$(uri ec private)";
        location / { return 200 "served\n"; }
    }
}
EOF
}

nginx_start() { # config, port
    nginx -t -c "$1" 2>"$work/nginx-test.log" || { cat "$work/nginx-test.log"; fail "nginx -t"; }
    nginx -c "$1" 2>"$work/nginx-start.log"
    wait_for 5 test -s "$work/nginx.pid"
    pids+=("$(cat "$work/nginx.pid")")
    wait_for 5 curl -sk "https://127.0.0.1:$2/"
}

nginx_get() { # port, more arguments
    local port=$1
    shift
    curl -sS --cacert "$work/both.pem" "$@" "https://localhost:$port/" --resolve "localhost:$port:127.0.0.1"
}

nginx_try() { # port: RSA and EC, TLS 1.2 and 1.3, 8 at once, reload
    local port=$1 i worker_user
    cat "$work/rsa.pem" "$work/ec.pem" >"$work/both.pem"
    step "workers run as another user"
    worker_user=$(ps -o user= --ppid "$(cat "$work/nginx.pid")" | sort -u | tr -d ' ')
    [ "$(id -u)" -ne 0 ] || [ "$worker_user" != root ] || fail "workers run as root"
    step "RSA and EC handshakes, TLS 1.2 and 1.3"
    nginx_get "$port" --tlsv1.3 | grep -qx served
    nginx_get "$port" --tls-max 1.2 --ciphers ECDHE-RSA-AES128-GCM-SHA256 | grep -qx served
    nginx_get "$port" --tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256 | grep -qx served
    openssl s_client -connect "127.0.0.1:$port" -tls1_3 -sigalgs rsa_pss_rsae_sha256 -CAfile "$work/both.pem" \
        -verify_return_error </dev/null >"$work/s_client.out" 2>&1 || { cat "$work/s_client.out"; fail "TLS 1.3 with RSA"; }
    step "8 connections at once, 400 handshakes"
    # shellcheck disable=SC2016
    seq 400 | xargs -P 8 -I{} curl -sk -o /dev/null --fail "https://127.0.0.1:$port/" || fail "a handshake failed"
    step "reload"
    for i in 1 2 3; do
        old=$(nginx_workers)
        kill -HUP "$(cat "$work/nginx.pid")"
        wait_for 10 nginx_has_others "$old"
        nginx_get "$port" | grep -qx served
    done
}

nginx_workers() { pgrep -P "$(cat "$work/nginx.pid")" | sort; }
# As many workers as before, none of them of those.
nginx_has_others() { # workers
    local now
    now=$(nginx_workers)
    [ "$(wc -l <<<"$now")" = "$(wc -l <<<"$1")" ] && [ -z "$(comm -12 <(printf '%s\n' "$1") <(printf '%s\n' "$now"))" ]
}

nginx_daemon_killed() { # port: handshakes go on after the daemon was killed under load and started again; no reload
    local port=$1 load workers
    step "the daemon is killed under load and started again"
    workers=$(nginx_workers)
    # shellcheck disable=SC2016
    seq 2000 | xargs -P 8 -I{} curl -sk -m 15 -o /dev/null -w '%{http_code}\n' "https://127.0.0.1:$port/" >"$work/codes" &
    load=$!
    pids+=("$load")
    sleep 1
    kill -9 "$(cat "$cluster/zone-a/qhsmd.pid")"
    sleep 0.5
    "$QHSM" dev up --dir "$cluster"
    nginx_get "$port" --tlsv1.3 >"$work/page" || fail "no handshake after the daemon's start"
    kill "$load"
    wait "$load" || true
    [ "$(grep -c 200 "$work/codes")" -gt 0 ] || fail "no handshake before the kill"
    step "400 handshakes after it, each of them good"
    # shellcheck disable=SC2016
    seq 400 | xargs -P 8 -I{} curl -sk -o /dev/null --fail "https://127.0.0.1:$port/" || fail "a handshake failed"
    nginx_get "$port" --tls-max 1.2 --ciphers ECDHE-RSA-AES128-GCM-SHA256 | grep -qx served
    [ "$workers" = "$(nginx_workers)" ] || fail "nginx's workers are not the same any more"
}
