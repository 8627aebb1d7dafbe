#!/usr/bin/env bash
# A private RabbitMQ node below the state folder: start, stop, kill9, drop, url, ctl, status.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
usage: infra/local/rabbitmq.sh start|stop|kill9|drop|url|status
       infra/local/rabbitmq.sh ctl ARGUMENTS...     rabbitmqctl against this node

  start   starts the node and waits until it accepts connections (about 9 s), then prints its URI
  stop    stops it; the data stays            kill9   kills it at once, for fault tests
  drop    stops it and deletes the data       url     prints the AMQP URI

State folder: HOTPATCH_STATE (default .state/demo). Port: HOTPATCH_AMQP_PORT, else a free one that the folder keeps.
It listens on 127.0.0.1 only, with the user guest/guest: for development and tests.
TEXT
}

LIB=/usr/lib/rabbitmq/bin                   # below the distribution's wrapper, which insists on its own folders

server_user() { if [ "$(id -u)" = 0 ]; then echo rabbitmq; else id -un; fi; }

url() { printf 'amqp://guest:guest@127.0.0.1:%s/\n' "$(port AMQP "${HOTPATCH_AMQP_PORT:-}")"; }

settings() {
    USER_=$(server_user)
    HOME_=$(server_home rabbitmq "$USER_")
    AMQP=$(port AMQP "${HOTPATCH_AMQP_PORT:-}")
    DIST=$(port AMQP_DIST)
    EPMD=$(port AMQP_EPMD)
    NODE=(env HOME="$HOME_" RABBITMQ_NODENAME=hotpatch@localhost
        RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$AMQP" RABBITMQ_DIST_PORT="$DIST"
        ERL_EPMD_PORT="$EPMD" ERL_EPMD_ADDRESS=127.0.0.1
        RABBITMQ_MNESIA_BASE="$HOME_/data" RABBITMQ_LOG_BASE="$HOME_/log" RABBITMQ_PID_FILE="$HOME_/node.pid"
        RABBITMQ_CONFIG_FILE="$HOME_/rabbitmq" RABBITMQ_ENABLED_PLUGINS_FILE="$HOME_/enabled_plugins"
        RABBITMQ_CONF_ENV_FILE="$HOME_/none" RABBITMQ_LOGS=-
        RUNNING_UNDER_SYSTEMD=1             # its start script then becomes the node; else our pid is that of a shell in front of it
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}')
}

write_config() {
    mkdir -p "$HOME_/data" "$HOME_/log"
    printf '[].\n' > "$HOME_/enabled_plugins"
    printf 'log.console.level = warning\ndisk_free_limit.absolute = 50MB\n' > "$HOME_/rabbitmq.conf"
    [ "$USER_" = "$(id -un)" ] || chown -R "$USER_:" "$HOME_"
}

# The port opens late in the boot, after every queue is recovered; a greeting on it is the sign that the node serves.
answers() {
    local greeting
    exec 4<> "/dev/tcp/127.0.0.1/$AMQP" || return 1
    printf 'AMQP\0\0\x09\x01' >&4
    IFS= read -r -t 2 -n 1 -d '' -u 4 greeting || true
    exec 4>&-
    [ "${greeting+set}" = set ] && running rabbitmq
} 2> /dev/null

start() {
    open_state
    running rabbitmq && { url; return; }
    [ -x "$LIB/rabbitmq-server" ] || die "no RabbitMQ; infra/local/packages.sh installs it"
    settings
    write_config
    rm -f "$STATE/run/rabbitmq.pid"
    # epmd of our own, in the foreground, so that it is stopped by its pid like everything else.
    running epmd || (cd / && launch epmd "$STATE/log/rabbitmq.log" \
        bash -c '. "$0"; as "$@"' "$HOTPATCH_ROOT/infra/local/lib.sh" "$USER_" epmd -address 127.0.0.1 -port "$EPMD")
    wait_until 5 port_open "$EPMD" || die_with_log "$STATE/log/rabbitmq.log" "epmd did not open port $EPMD"
    (cd "$HOME_" && launch rabbitmq "$STATE/log/rabbitmq.log" \
        bash -c '. "$0"; as "$@"' "$HOTPATCH_ROOT/infra/local/lib.sh" "$USER_" "${NODE[@]}" "$LIB/rabbitmq-server")
    local i
    for ((i = 0; i < 300; i++)); do
        (answers) && { url; return; }
        running rabbitmq || break
        sleep 0.2
    done
    die_with_log "$STATE/log/rabbitmq.log" "RabbitMQ did not open port $AMQP"
}

stop() { open_state; halt rabbitmq TERM 30; halt epmd TERM 5; }

kill9() {
    open_state
    local pid
    pid=$(pid_of rabbitmq) || die "RabbitMQ does not run"
    kill -s KILL "$pid"
    wait_gone rabbitmq 5 || true
    rm -f "$STATE/run/rabbitmq.pid"
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    kill9) kill9 ;;
    drop) stop; drop_home rabbitmq ;;
    url) open_state; url ;;
    ctl) shift; open_state; settings; cd "$HOME_"; as "$USER_" "${NODE[@]}" "$LIB/rabbitmqctl" "$@" ;;
    status) open_state; if running rabbitmq; then say "running, port $(port AMQP)"; else say "not running"; exit 1; fi ;;
    -h | --help) usage ;;
    *) usage >&2; exit 2 ;;
esac
