# shellcheck shell=bash
# What every script of infra/ does alike: the state folder, processes by pid file, free ports, plain messages.
# Sourced, never run.

HOTPATCH_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
STATE="${HOTPATCH_STATE:-$HOTPATCH_ROOT/.state/demo}"
CACHE="${HOTPATCH_CACHE:-$HOTPATCH_ROOT/.state/cache}"    # downloads and builds; outlives the state folder's data

say()  { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die()  { warn "error: $*"; exit 1; }

# die_with_log LOG MESSAGE: the last 20 lines of the log concerned, then why we stop.
die_with_log() {
    local log=$1; shift
    if [ -s "$log" ]; then
        warn "--- last lines of $log"
        tail -n 20 "$log" >&2
        warn "---"
    fi
    die "$* (log: $log)"
}

open_state() {
    mkdir -p "$STATE"
    STATE="$(cd "$STATE" && pwd -P)"
    mkdir -p "$STATE/run" "$STATE/log"
}

# --- processes -------------------------------------------------------------------------------------------------------
# A pid file holds "PID START", START being the kernel's start time of that process (field 22 of /proc/PID/stat).
# A pid that was reused by another process has another start time and is never touched.

start_time() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }                       # the name, field 2, may hold spaces and parentheses
    # shellcheck disable=SC2086
    set -- $stat
    [ "$1" != Z ] || return 1
    printf '%s\n' "${20}"
}

remember() {                                # remember NAME PID
    local start
    start=$(start_time "$2") || return 1
    printf '%s %s\n' "$2" "$start" > "$STATE/run/$1.pid"
}

pid_of() {                                  # prints the pid while that very process lives
    local pid start
    [ -r "$STATE/run/$1.pid" ] || return 1
    read -r pid start < "$STATE/run/$1.pid" || return 1
    [ "$(start_time "$pid" || true)" = "$start" ] || return 1
    printf '%s\n' "$pid"
}

running() { pid_of "$1" > /dev/null; }

# launch NAME LOG COMMAND...: a process of its own session, so that the terminal's Ctrl-C does not reach it.
launch() {
    local name=$1 log=$2; shift 2
    setsid "$@" >> "$log" 2>&1 < /dev/null &
    remember "$name" "$!" || die_with_log "$log" "$name ended at once"
    disown "$!" 2> /dev/null || true
}

# halt NAME [SIGNAL] [SECONDS]: signals, waits, kills what does not end in time.
halt() {
    local name=$1 signal=${2:-TERM} seconds=${3:-20} pid
    if pid=$(pid_of "$name"); then
        kill -s "$signal" "$pid" 2> /dev/null || true
        wait_gone "$name" "$seconds" || { kill -s KILL "$pid" 2> /dev/null || true; wait_gone "$name" 5 || true; }
    fi
    rm -f "$STATE/run/$name.pid"
}

wait_gone() {
    local i
    for ((i = 0; i < $2 * 20; i++)); do
        running "$1" || return 0
        sleep 0.05
    done
    return 1
}

# wait_until SECONDS COMMAND...: polls a command until it succeeds.
wait_until() {
    local deadline=$((SECONDS + $1)); shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

# --- ports -----------------------------------------------------------------------------------------------------------

port_open() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

# Every local port in use, in any state, IPv4 and IPv6, straight from the kernel.
ports_in_use() {
    local address rest
    while read -r _ address rest; do
        [[ $address == *:* ]] && printf '%d\n' "$((16#${address##*:}))"
    done < <(cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | sed 1d)
}

# free_ports N: N different free ports below the kernel's range for outgoing connections. Random, so that two
# checkouts that start at the same time seldom meet.
free_ports() {
    local wanted=$1 port used
    used=" $(ports_in_use | tr '\n' ' ') "
    while [ "$wanted" -gt 0 ]; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        case $used in *" $port "*) continue ;; esac
        used="$used$port "
        printf '%s\n' "$port"
        wanted=$((wanted - 1))
    done
}

# A port keeps its value for the life of a state folder: port NAME prints it, drawing one on first use.
port() {
    local file=$STATE/ports.env name=$1 value
    value=$(sed -n "s/^$name=//p" "$file" 2> /dev/null | tail -n 1)
    if [ -z "$value" ]; then
        value=${2:-$(free_ports 1)}
        printf '%s=%s\n' "$name" "$value" >> "$file"
    fi
    printf '%s\n' "$value"
}

# --- users -----------------------------------------------------------------------------------------------------------

# as USER COMMAND...: replaces itself, so that the pid stays the one the caller started.
as() {
    local user=$1; shift
    if [ "$user" = "$(id -un)" ]; then exec "$@"; fi
    exec setpriv --reuid="$user" --regid="$(id -gn "$user")" --init-groups -- "$@"
}

# server_home NAME USER: a folder for NAME that USER can reach. A checkout below a private home folder is closed to the
# servers' own users; then the data lies in /var/tmp and STATE/NAME is a link to it.
server_home() {
    local home=$STATE/$1 user=$2
    if [ -L "$home" ]; then home=$(readlink -f "$home"); fi
    mkdir -p "$home"
    if [ "$user" != "$(id -un)" ] && ! (as "$user" test -x "$home") 2> /dev/null; then
        rmdir "$home"
        home="/var/tmp/hotpatch-$(printf '%s' "$STATE" | cksum | cut -d' ' -f1)/$1"
        mkdir -p "$home"
        ln -sfn "$home" "$STATE/$1"
    fi
    [ "$user" = "$(id -un)" ] || chown "$user:" "$home"
    chmod 700 "$home"
    printf '%s\n' "$home"
}

drop_home() {
    if [ -L "$STATE/$1" ]; then
        rm -rf "$(readlink -f "$STATE/$1")"
        rmdir "$(dirname "$(readlink "$STATE/$1")")" 2> /dev/null || true
    fi
    rm -rf "${STATE:?}/$1"
}
