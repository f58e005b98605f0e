#!/usr/bin/env bash
# The main job on a throwaway PostgreSQL: run by `./install.sh --demo`, with hoopctl and hoop-relay on the PATH and PG_BIN set.
# On a terminal it leaves you in psql; elsewhere it is a scripted tour. Ends everything that it started.
set -euo pipefail
demo=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf '%s\n' "$*"; }
title() { printf '\n== %s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$1" >&2
    [ -z "${2:-}" ] || printf '  hint: %s\n' "$2" >&2
    exit 1
}

folder=$(mktemp -d)
chmod 711 "$folder"
started=()
end() {
    local status=$? pid
    for pid in "${started[@]}"; do kill -INT "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$folder"
    exit "$status"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A port of the loopback interface that nobody listens on.
free_port() {
    local port
    for port in $(shuf -i 20000-32000 -n 50); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { printf '%s' "$port"; return; }
    done
    fail "no free port found on 127.0.0.1"
}

postgres_user=()
if [ "$(id -u)" = 0 ]; then
    id postgres >/dev/null 2>&1 || fail "PostgreSQL does not run as root, and there is no user called postgres" "run the demo as another user"
    postgres_user=(setpriv --reuid=postgres --regid=postgres --clear-groups)
fi

start_postgres() {
    install -d -m 700 "$folder/postgres"
    [ ${#postgres_user[@]} = 0 ] || chown postgres "$folder/postgres"
    "${postgres_user[@]}" "$PG_BIN/initdb" -D "$folder/postgres/data" --username=postgres --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --no-sync >"$folder/initdb.log" 2>&1 \
        || { cat "$folder/initdb.log" >&2; fail "initdb failed" "its message is above"; }
    pg_port=$(free_port)
    "${postgres_user[@]}" "$PG_BIN/postgres" -D "$folder/postgres/data" -p "$pg_port" -k "$folder/postgres" -c listen_addresses=127.0.0.1 -c fsync=off >"$folder/postgres.log" 2>&1 &
    started+=($!)
    local tries=0
    until "${postgres_user[@]}" "$PG_BIN/psql" -Xqc 'SELECT 1' -h "$folder/postgres" -p "$pg_port" -U postgres >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 150 ] || { cat "$folder/postgres.log" >&2; fail "PostgreSQL did not start" "its message is above"; }
        sleep 0.1
    done
    password=$(od -An -tx1 -N16 /dev/urandom | tr -d ' \n')
    local admin=("${postgres_user[@]}" "$PG_BIN/psql" -Xq -v ON_ERROR_STOP=1 -h "$folder/postgres" -p "$pg_port" -U postgres)
    "${admin[@]}" -c 'CREATE DATABASE shop'
    { printf '%s\n' "\\set role shop_gateway" "\\set password $password"; cat "$demo/shop.sql"; } | "${admin[@]}" -d shop
}

start_relay() {
    cp "$demo/policy.cedar" "$folder/policy.cedar"
    sed "s/@PORT@/$pg_port/" "$demo/relay.toml" >"$folder/relay.toml"
    DEMO_DB_PASSWORD=$password hoop-relay dev --listen 127.0.0.1:0 --data "$folder/relay" --config "$folder/relay.toml" --sign-in-as ana >"$folder/ready.json" 2>"$folder/relay.log" &
    started+=($!)
    local tries=0
    until [ -s "$folder/ready.json" ]; do
        tries=$((tries + 1))
        kill -0 "${started[-1]}" 2>/dev/null && [ $tries -lt 150 ] || { cat "$folder/relay.log" >&2; fail "the relay did not start" "its message is above"; }
        sleep 0.1
    done
    relay=$(sed 's/.*"relay":"\([^"]*\)".*/\1/' "$folder/ready.json")
    ca=$(sed 's/.*"ca":"\([^"]*\)".*/\1/' "$folder/ready.json")
    issuer=$(sed 's/.*"issuer":"\([^"]*\)".*/\1/' "$folder/ready.json")
}

# The demo's people keep their logins in the demo's folder, never in the keyring of who runs it.
export HOOPCTL_CONFIG_DIR=$folder/hoopctl HOOPCTL_CREDENTIAL_STORE=file PSQLRC=/dev/null
unset HOOPCTL_RELAY HOOPCTL_PROFILE HOOPCTL_OUTPUT HOOPCTL_ID_TOKEN HOOPCTL_ID_TOKEN_FILE HOOPCTL_CA_FILE
