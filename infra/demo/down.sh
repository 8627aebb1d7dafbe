# shellcheck shell=bash
# Stops what a state folder runs, by its pid files and in order; deletes its data when asked. Sourced by demo.sh.

names_like() { (cd "$STATE/run" 2> /dev/null && ls -1 | sed -n 's/\.pid$//p' | grep -E "$1") || true; }

# All at once, then wait for each.
halt_all() {
    local name pid
    for name; do if pid=$(pid_of "$name"); then kill -s TERM "$pid" 2> /dev/null || true; fi; done
    for name; do halt "$name" TERM 15; done
}

down() {
    [ -d "$STATE/run" ] || return 0
    # shellcheck disable=SC2046
    {
        halt_all $(names_like '^(pings|load|agent-.*)$')
        halt_all $(names_like '^(standalone|catalog|rollouts|gateway|compliance)$') $(names_like '^target-')
    }
    "$HOTPATCH_ROOT/infra/local/rabbitmq.sh" stop
    "$HOTPATCH_ROOT/infra/local/postgres.sh" stop
}

# Everything but the logs of the run before, which stay as log.old until the next.
forget() {
    [ -d "$STATE" ] || return 0
    HOTPATCH_STATE=$STATE "$HOTPATCH_ROOT/infra/local/rabbitmq.sh" drop
    HOTPATCH_STATE=$STATE "$HOTPATCH_ROOT/infra/local/postgres.sh" drop
    rm -rf "${STATE:?}"/{endpoints,packages,trust,keys,patches,load,run} \
        "${STATE:?}"/{ports.env,fleet.tsv,endpoints.jsonl,pings.txt,token,enrolment-token,hotpatch.json,run-number}
    rmdir "$STATE/log" 2> /dev/null || { rm -rf "$STATE/log.old" && mv "$STATE/log" "$STATE/log.old"; }
}
