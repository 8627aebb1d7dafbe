#!/usr/bin/env bash
# The whole product on one machine: twelve live processes are patched without a restart, then a bad patch is rolled back.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$HERE/local/lib.sh"
for part in story build services targets fleet patch down; do . "$HERE/demo/$part.sh"; done

usage() {
    cat <<'TEXT'
usage: infra/demo.sh [--embedded] [--target redis|teller] [--keep-data]
       infra/demo.sh --down [--keep-data]

Starts private PostgreSQL and RabbitMQ instances, the four services and twelve endpoint agents, each with a live target
under load; builds a patch from a diff, rolls it out, then rolls out a bad one and watches it being taken back. Leaves
everything running.

  --embedded     all services in one process, no broker, no root needed
  --target T     redis (Debian's redis-server) or teller (a small server of this project); default: redis if it can be had
  --keep-data    begins with the data of the run before; with --down: leaves the data
  --down         stops everything that this state folder runs and deletes its data

State folder: HOTPATCH_STATE (default .state/demo). Downloads and builds: HOTPATCH_CACHE (default .state/cache).
TEXT
}

EMBEDDED=0 WANTED='' KEEP=0 DOWN=0
while [ $# -gt 0 ]; do
    case $1 in
        --embedded) EMBEDDED=1 ;;
        --target) WANTED=${2:-}; shift; case $WANTED in redis | teller) ;; *) usage >&2; exit 2 ;; esac ;;
        --keep-data) KEEP=1 ;;
        --down) DOWN=1 ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

export HOTPATCH_STATE=$STATE HOTPATCH_CACHE=$CACHE
if [ "$DOWN" = 1 ]; then
    [ -d "$STATE" ] || { say "nothing runs: there is no $STATE"; exit 0; }
    down
    [ "$KEEP" = 1 ] || forget
    say "stopped$([ "$KEEP" = 1 ] && echo ', data kept' || true): $STATE"
    exit 0
fi

trap 'warn "infra/demo.sh, line $LINENO: $BASH_COMMAND"' ERR
trap 'code=$?; [ $code -eq 0 ] || warn "The demo ended early (exit code $code). What it started may still run: infra/demo.sh --down stops it."' EXIT

down
[ "$KEEP" = 1 ] || forget
open_state
mkdir -p "$CACHE"
RUN=$(($(cat "$STATE/run-number" 2> /dev/null || echo 0) + 1))
echo "$RUN" > "$STATE/run-number"
say "Hotpatch demo. State: $STATE, logs: $STATE/log"

step "Install what is missing"
parts=(dotnet postgres toolchain)
[ "$EMBEDDED" = 1 ] || parts+=(rabbitmq)
HOTPATCH_PACKAGES_LOG=$STATE/log/packages.log quietly "$STATE/log/packages.log" "$HERE/local/packages.sh" "${parts[@]}"
choose_target "$WANTED" "$STATE/log/target.log"
note "target: $TARGET"

step "Start a private PostgreSQL$([ "$EMBEDDED" = 1 ] || echo ' and RabbitMQ')"
STORE=$("$HERE/local/postgres.sh" start)
note "PostgreSQL on port $(port POSTGRES)"
TRANSPORT=memory BROKER='' BROKER_JOB=''
if [ "$EMBEDDED" = 0 ]; then
    # It takes nine seconds to open its port: the build below goes on meanwhile.
    TRANSPORT=rabbitmq BROKER=$("$HERE/local/rabbitmq.sh" url)
    "$HERE/local/rabbitmq.sh" start > /dev/null & BROKER_JOB=$!
    note "RabbitMQ on port $(port AMQP), starting"
fi

step "Build services, command line, agent and patcher"
build_managed "$STATE/log/build.log"
write_cli_config
# Two builds of the target and a comparison: that goes on while the rest is compiled and started.
FIX_NAME=$PATCH-$RUN BAD_NAME=$PATCH-$RUN-bad
build_patch "$FIX_NAME" $((RUN * 2 - 1)) "Reject corrupt payloads" "${FIX[@]}" 2> /dev/null & PATCH_JOB=$!
note "$FIX_NAME: hotpatch build of $MODULE, going on meanwhile"
build_native_programs "$STATE/log/build.log"

step "Start $([ "$EMBEDDED" = 1 ] && echo 'the services in one process' || echo 'Catalog, Rollouts, Gateway and Compliance')"
[ -z "$BROKER_JOB" ] || wait "$BROKER_JOB" || die_with_log "$STATE/log/rabbitmq.log" "RabbitMQ did not start"
make_keys
(service_environment "$STORE" "$TRANSPORT" "$BROKER"; start_services)    # tokens stay out of everyone else's environment
note "REST: $(service_url rollouts), agents: $(agents_url)"

step "Start $ENDPOINTS endpoints: a live $MODULE each, under load, and an agent each"
start_targets
start_load
start_agents
note "$ENDPOINTS agents enrolled; each target answers a request every $LOAD_MILLISECONDS ms (SET and GET; PING is the health probe's)"

step "Before: every target is the shipped, vulnerable program"
note "$(basename "$SHIPPED"), proof by a RESTORE with a corrupt payload: $(basename "$(dirname "$PROVE")")/$(basename "$PROVE")"
# With the data of an earlier run, the patch rolled out then is still what these endpoints should have.
if [ "$RUN" -gt 1 ] && wait_until 20 every_target "$FIXED" > /dev/null; then
    claim "all $ENDPOINTS were repaired as they came up: the patch of the run before is in force" true
else
    claim "all $ENDPOINTS accept the corrupt payload ($VULNERABLE)" every_target "$VULNERABLE"
fi

step "Build the patch from the diff, sign it, publish it"
wait "$PATCH_JOB" || die_with_log "$STATE/log/build-$FIX_NAME.log" "the patch $FIX_NAME could not be built"
publish_patch "$FIX_NAME"

step "Roll it out: canary, early, rest"
sleep 1                                     # so that the instant lies clearly between publishing and the first apply
BEFORE=$(date -u +%Y-%m-%dT%H:%M:%SZ)
sleep 1
mark_load
roll_out "fix-$RUN" "$FIX_NAME" "close ${ADVISORY[0]}" || claim "the rollout completed" false

step "After: fixed, and nobody noticed"
claim "all $ENDPOINTS refuse the corrupt payload ($FIXED)" every_target "$FIXED"
claim "no restart: same pids, same start times" same_processes
sleep 1.2                                   # the load reports once a second
claim "no failed request in $(requests_of_all)" equal "$(failures_of_all)" 0
fleet_table

step "A bad patch: it makes the health probe fail"
build_patch "$BAD_NAME" $((RUN * 2)) "Reject corrupt payloads; breaks PING" "${BAD[@]}"
publish_patch "$BAD_NAME"
: > "$STATE/pings.txt"
launch pings "$STATE/log/pings.log" "$HERE/demo/watch-pings.sh" "$STATE/fleet.tsv" "$STATE/pings.txt"
roll_out "bad-$RUN" "$BAD_NAME" "demonstrate the automatic rollback" --until rolledBack || claim "the rollout rolled itself back" false
sleep 1
halt pings TERM 5

step "After: taken back by itself, without a restart"
endpoint_lines > "$STATE/endpoints.jsonl"
CANARY=$(ordered "$BAD_NAME")
HIT=$(cut -d' ' -f2 "$STATE/pings.txt" | sort -u | on_one_line)
note "PING failed $(wc -l < "$STATE/pings.txt") times, on: ${HIT:-nobody}"
claim "one endpoint was ordered the bad patch: the canary, $CANARY" equal "$(wc -w <<< "$CANARY")" 1
claim "the canary's PING did fail, and nobody else's" equal "$HIT" "${CANARY:-a canary}"
claim "every target answers +PONG again" every_pong
claim "the first patch still holds on all $ENDPOINTS" every_target "$FIXED"
claim "no restart: same pids, same start times" same_processes
sleep 1.2
claim "no failed request in $(requests_of_all) (the load does not ask PING, which the bad patch breaks on purpose)" equal "$(failures_of_all)" 0
fleet_table

step "Ask the system"
typed hotpatch compliance
typed hotpatch why "${CANARY:-endpoint-01}"
typed hotpatch audit as-of "$BEFORE"
claim "the agents' journals and the processes' memory agree" typed hotpatch doctor --agents "$STATE/endpoints" --patcher "$HOTPATCH_PATCHER"
end_step

cat <<TEXT

${BOLD}$((CLAIMS - CLAIMS_BROKEN)) of $CLAIMS claims hold; $SECONDS s in all.${PLAIN}
Everything keeps running. To play with it:

    export HOTPATCH_CONFIG=$HOTPATCH_CONFIG DOTNET_ROOT=$DOTNET_ROOT
    export PATH=$ARTIFACTS/Cli:$ARTIFACTS/Agent:$ARTIFACTS/Patcher:\$PATH
    hotpatch endpoint list

Logs: $STATE/log (services), $STATE/endpoints/endpoint-NN/agent.log (agents)
Stop: infra/demo.sh --down        stop, keep the data: infra/demo.sh --down --keep-data
TEXT
trap - EXIT ERR
[ "$CLAIMS_BROKEN" -eq 0 ]
