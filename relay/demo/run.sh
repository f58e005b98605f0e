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
# Starts a server in a session of its own: Ctrl-C on the terminal is psql's, and must not end what psql talks to.
start() {
    if command -v setsid >/dev/null; then
        setsid "$@" &
    else
        perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' "$@" &
    fi
    started+=($!)
}
end() {
    local status=$? pid
    trap '' INT TERM
    # What was only just started ignores SIGINT still, as all do that a script puts in the background: SIGTERM it does not. To
    # PostgreSQL the first means to end its connections, too.
    for pid in "${started[@]}"; do { kill -INT "$pid" && kill -TERM "$pid"; } 2>/dev/null || true; done
    # A login or an approval that was under way: what is left of the jobs.
    for pid in $(jobs -p); do case " ${started[*]} " in *" $pid "*) ;; *) kill -TERM "$pid" 2>/dev/null || true ;; esac; done
    wait 2>/dev/null || true
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
    start "${postgres_user[@]}" "$PG_BIN/postgres" -D "$folder/postgres/data" -p "$pg_port" -k "$folder/postgres" -c listen_addresses=127.0.0.1 -c fsync=off >"$folder/postgres.log" 2>&1
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
    DEMO_DB_PASSWORD=$password start hoop-relay dev --listen 127.0.0.1:0 --data "$folder/relay" --config "$folder/relay.toml" >"$folder/ready.json" 2>"$folder/relay.log"
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

# One HTTP exchange with the embedded identity provider: METHOD PATH COOKIE BODY.
http() {
    local host=${issuer#http://}
    exec 4<>"/dev/tcp/${host%:*}/${host##*:}"
    printf '%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nCookie: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %s\r\n\r\n%s' \
        "$1" "$2" "$host" "$3" "${#4}" "$4" >&4
    cat <&4
    exec 4>&-
}

# Does what a person does in a browser: opens the page with the code that hoopctl shows, chooses who to be, agrees.
choose_person() {
    local page cookie token
    page=$(http GET "/device?user_code=$1" '' '')
    cookie=$(printf '%s' "$page" | tr -d '\r' | sed -n 's/^[Ss]et-[Cc]ookie: \([^;]*\).*/\1/p')
    token=$(printf '%s' "$page" | sed -n 's/.*name="token" value="\([^"]*\)".*/\1/p')
    http POST /device "$cookie" "user_code=$1&token=$token&decision=approve&user=$2" | grep -q '^HTTP/1.1 200' || fail "the device page did not accept the code $1"
}

# Logs somebody in by the device flow, under a profile of that name.
login() {
    local log=$folder/login-$1.log code='' process tries=0
    hoopctl --profile "$1" --no-input login "$relay" --ca "$ca" >"$log" 2>&1 &
    process=$!
    until [ -n "$code" ]; do
        code=$(grep -oE '\b[B-Z]{4}-[B-Z]{4}\b' "$log" | head -n 1 || true)
        tries=$((tries + 1))
        kill -0 "$process" 2>/dev/null && [ $tries -lt 200 ] || { cat "$log" >&2; fail "hoopctl login showed no code" "its message is above"; }
        sleep 0.05
    done
    sed 's/^/   /' "$log"
    choose_person "$code" "$1"
    wait "$process" || { cat "$log" >&2; fail "the login of $1 failed" "its message is above"; }
}

# Waits in the background for a held statement and approves it as bo.
approve_as_bo() {
    local id='' tries=0
    while [ -z "$id" ]; do
        id=$(hoopctl --profile bo requests ls -o json 2>/dev/null | grep -oE 'r-[0-9a-z]{12}' | head -n 1 || true)
        tries=$((tries + 1))
        [ $tries -lt 300 ] || return 1
        sleep 0.1
    done
    hoopctl --profile bo approve "$id" --reason 'looks right' >"$folder/approve.log" 2>&1 || { cat "$folder/approve.log" >&2; return 1; }
}

tour() {
    title "psql through the gateway: a masked read, a blocked DROP, and a DELETE that waits for another person"
    cat >"$folder/tour.sql" <<'SQL'
SELECT id, name, email, ssn, note FROM customers WHERE id IN (4, 5);
DROP TABLE orders;
SELECT count(*) AS "orders, on the same connection" FROM orders;
DELETE FROM orders WHERE id = 7;
SELECT count(*) AS "orders after the approved DELETE" FROM orders;
SQL
    approve_as_bo &
    local approver=$!
    say "\$ hoopctl connect db-demo --reason 'clean up order 7' -- psql"
    hoopctl --profile ana connect db-demo --reason 'clean up order 7' -- "$PG_BIN/psql" -X --echo-queries <"$folder/tour.sql" 2>&1 | tee "$folder/tour.log"
    wait "$approver" || fail "nobody could approve the DELETE" "the message is above"
    local expected
    for expected in 'blocked by policy no-drop' 'DELETE 1' '999' 'r-'; do
        grep -q -- "$expected" "$folder/tour.log" || fail "the tour did not show what it should: $expected" "the output is above"
    done
    ! grep -qE '105-15-1035|customer5@example|4111 1111' "$folder/tour.log" || fail "a masked value was shown"

    title "bo, of the group dba, approved it with: hoopctl approve ID --reason 'looks right'"
    sed 's/^/   /' "$folder/approve.log"

    local session
    session=$(hoopctl --profile ana sessions ls -o json | grep -oE 's-[0-9a-z]{12}' | head -n 1)
    title "hoopctl sessions replay $session: what happened, without access to the database"
    hoopctl --profile ana sessions replay "$session"
    title "hoopctl sessions verify $session"
    hoopctl --profile ana sessions verify "$session"
}

on_a_terminal() {
    cat <<TXT

You are ana, of the group engineers, in psql on a throwaway database. Try:
   SELECT * FROM customers LIMIT 5;         personal data is masked
   DROP TABLE orders;                       blocked: the connection goes on
   DELETE FROM orders;                      blocked: add a WHERE clause
   DELETE FROM orders WHERE id = 7;         waits for a dba; in a second terminal be bo:
      export PATH=$(dirname "$(command -v hoopctl)"):\$PATH HOOPCTL_CONFIG_DIR=$HOOPCTL_CONFIG_DIR HOOPCTL_CREDENTIAL_STORE=file
      hoopctl --profile bo approve
   \\q                                       ends the demo and everything that it started
TXT
    # In psql Ctrl-C cancels a query or a held statement; the demo goes on until psql ends.
    trap : INT
    hoopctl --profile ana connect db-demo --reason demo -- "$PG_BIN/psql" -X || true
    trap 'exit 130' INT
    local session
    session=$(hoopctl --profile ana sessions ls -o json | grep -oE 's-[0-9a-z]{12}' | head -n 1)
    title "hoopctl sessions replay $session"
    hoopctl --profile ana sessions replay "$session" --speed 100
}

title "a throwaway PostgreSQL with sample data"
start_postgres
say "   customers and orders, on 127.0.0.1:$pg_port; its password is known to the relay only"
title "hoop-relay dev, with an identity provider inside"
start_relay
say "   on $relay, for this demo only"
title "hoopctl login: the device flow, for ana (engineers) and bo (dba)"
login ana
login bo
if [ -t 0 ] && [ -t 1 ]; then on_a_terminal; else tour; fi
title "done: everything that the demo started is ended and removed"
