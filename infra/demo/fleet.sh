# shellcheck shell=bash
# Twelve endpoints: a live target each, a steady load on all, an agent each. Sourced by demo.sh.
# STATE/fleet.tsv holds "endpoint pid start port" as found before anything was patched.

ENDPOINTS=12
LOAD_MILLISECONDS=2

endpoints() { printf 'endpoint-%02d\n' $(seq 1 "$ENDPOINTS"); }

start_targets() {
    local name port folder pid
    : > "$STATE/fleet.tsv"
    for name in $(endpoints); do
        folder=$STATE/endpoints/$name
        mkdir -p "$folder/agent" "$folder/target"
        port=$(port "TARGET_$(upper "$name")")
        launch_target "target-$name" "$port" "$folder/target"
        pid=$(pid_of "target-$name")
        printf '%s\t%s\t%s\t%s\n' "$name" "$pid" "$(start_time "$pid")" "$port" >> "$STATE/fleet.tsv"
    done
    while read -r name pid _ port; do
        wait_until 10 port_open "$port" || die_with_log "$STATE/endpoints/$name/target.log" "the target of $name is not up"
    done < "$STATE/fleet.tsv"
}

start_load() {
    local name port arguments=()
    quietly "$STATE/log/build.log" make -C "$TELLER" load CFLAGS=-O2
    mkdir -p "$CACHE"
    mv "$TELLER/load" "$CACHE/load"
    rm -rf "$STATE/load"
    mkdir -p "$STATE/load"
    while read -r name _ _ port; do arguments+=("$name=$port"); done < "$STATE/fleet.tsv"
    launch load "$STATE/log/load.log" "$CACHE/load" "$STATE/load" "$LOAD_MILLISECONDS" "${arguments[@]}"
    wait_until 5 test -s "$STATE/load/endpoint-$ENDPOINTS.txt"
}

# Forget the longest wait so far, so that the table tells of the rollout and not of the builds before it.
mark_load() { kill -s USR1 "$(pid_of load)"; }

# load_of ENDPOINT FIELD: 1 requests, 2 failed, 3 longest wait in us, 4 the same since the mark.
load_of() { cut -d' ' -f"$2" "$STATE/load/$1.txt"; }

requests_of_all() { cat "$STATE"/load/endpoint-*.txt | awk '{ n += $1 } END { print n }'; }
failures_of_all() { cat "$STATE"/load/endpoint-*.txt | awk '{ n += $2 } END { print n }'; }

start_agents() {
    local name folder number=0 zones=(a b c)
    for name in $(endpoints); do
        folder=$STATE/endpoints/$name
        launch "agent-$name" "$folder/agent.log" "$HOTPATCH_AGENT" run --gateway "$(agents_url)" --name "$name" \
            --label "zone=${zones[number % 3]}" --label tier=cache --enrolment-token "$(secret enrolment-token)" \
            --state "$folder/agent" --trust "$STATE/trust" --patcher "$HOTPATCH_PATCHER" --scope "$folder/target" --scan-seconds 2
        number=$((number + 1))
    done
    wait_until 60 all_enrolled || die_with_log "$STATE/endpoints/endpoint-01/agent.log" "not all agents are connected: $(enrolled) of $ENDPOINTS"
}

# One line of JSON an endpoint, in the order of names; enough for grep, no JSON tool needed.
endpoint_lines() { hotpatch endpoint list -o json 2>> "$STATE/log/cli.log" | tr -d '\n' | sed 's/" *: */":/g; s/{ *"/{"/g; s/\[ *{/[{/g; s/} *, *{/},{/g; s/},{"id":/}\n{"id":/g'; echo; }

# Connected, and its running binaries are known.
enrolled() { endpoint_lines | grep '"connected":true' | grep -c '"binaries":\[{' || true; }
all_enrolled() { [ "$(enrolled)" = "$ENDPOINTS" ]; }

# Longest stop of the processes of an endpoint that are patched now, in microseconds.
longest_stop() {
    local stop
    stop=$(sed -n "/\"name\":\"$1\"/s/\"orders\":.*//p" "$STATE/endpoints.jsonl" | { grep -o '"stopMicroseconds":[0-9]*' || true; } | cut -d: -f2 | sort -n | tail -n 1)
    printf '%s\n' "${stop:--}"
}

# every_target ANSWER: all of them give this answer to the proof.
every_target() {
    local name port answer wrong=0
    while read -r name _ _ port; do
        answer=$(prove "$port")
        [ "$answer" = "$1" ] || { note "        $name answers '$answer'"; wrong=1; }
    done < "$STATE/fleet.tsv"
    return "$wrong"
}

pong() {
    local line=''
    exec 3<> "/dev/tcp/127.0.0.1/$1" || return 1
    printf 'PING\r\n' >&3
    IFS= read -r -t 2 line <&3 || true
    exec 3>&-
    [ "${line%$'\r'}" = +PONG ]
}

every_pong() {
    local name port wrong=0
    while read -r name _ _ port; do
        pong "$port" || { note "        $name does not answer +PONG"; wrong=1; }
    done < "$STATE/fleet.tsv"
    return "$wrong"
}

on_one_line() { tr '\n' ' ' | sed 's/ $//'; }

# Names of the endpoints that were ever ordered a patch, from the list kept in STATE/endpoints.jsonl.
ordered() { { grep "\"patchName\":\"$1\"" "$STATE/endpoints.jsonl" || true; } | sed 's/^.*"name":"\(endpoint-[0-9]*\)".*/\1/' | on_one_line; }

same_processes() {
    local name pid start wrong=0
    while read -r name pid start _; do
        [ "$(start_time "$pid" || true)" = "$start" ] || { note "        $name: process $pid is gone or another one"; wrong=1; }
    done < "$STATE/fleet.tsv"
    return "$wrong"
}

fleet_table() {
    local name pid start port same_pid same_start now
    endpoint_lines > "$STATE/endpoints.jsonl"
    printf '\n    %-12s %7s %9s %16s %9s %7s %16s %16s\n' endpoint pid 'same pid' 'same start time' requests failed 'longest stop us' 'longest wait us'
    while read -r name pid start port; do
        same_pid=no same_start=no
        now=$(start_time "$pid" || true)
        [ -z "$now" ] || same_pid=yes
        [ "$now" != "$start" ] || same_start=yes
        printf '    %-12s %7s %9s %16s %9s %7s %16s %16s\n' "$name" "$pid" "$same_pid" "$same_start" \
            "$(load_of "$name" 1)" "$(load_of "$name" 2)" "$(longest_stop "$name")" "$(load_of "$name" 4)"
    done < "$STATE/fleet.tsv"
}
