#!/usr/bin/env bash
# The whole test suite on private servers. Ends with one line: "N passed, N failed".
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

if [ $# -gt 0 ]; then
    cat <<'TEXT'
usage: infra/test.sh

Installs what is missing, starts a PostgreSQL server and a RabbitMQ node of its own, builds everything, runs tests/Unit,
tests/Integration and tests/EndToEnd, and stops its servers. Exit code 0 when all passed and some ran.

The tests find the servers in HOTPATCH_TEST_PG and HOTPATCH_TEST_AMQP, the native programs in HOTPATCH_AGENT and
HOTPATCH_PATCHER, and redis sources (where they can be had) below HOTPATCH_CACHE.
TEXT
    case $1 in -h | --help) exit 0 ;; *) exit 2 ;; esac
fi

export HOTPATCH_STATE=${HOTPATCH_STATE:-$(cd "$HERE/.." && pwd -P)/.state/test-$$}
. "$HERE/local/lib.sh"
for part in story build; do . "$HERE/demo/$part.sh"; done
export HOTPATCH_CACHE=$CACHE
SUITES=(Unit Integration EndToEnd)
SUITE_SECONDS_MAX=1800

finish() {
    local code=$?
    "$HERE/local/rabbitmq.sh" drop || true
    "$HERE/local/postgres.sh" drop || true
    [ "$code" -ne 0 ] || rm -rf "${STATE:?}"
}

# Sum of the figures that a suite's runs printed, such as "  failed: 2".
figure() { awk -v key="$2:" '$1 == key { sum += $2 } END { print sum + 0 }' "$1"; }

# A suite that breaks off before its summary counts as one failure; a suite that holds no test yet does not.
run_suite() {
    local suite=$1 log=$STATE/log/$1.log code=0 passed failed
    printf '\n== %s\n' "$suite"
    timeout "$SUITE_SECONDS_MAX" dotnet test --project "$HOTPATCH_ROOT/tests/$suite" --no-build > "$log" 2>&1 || code=$?
    cat "$log"
    passed=$(figure "$log" succeeded)
    failed=$(figure "$log" failed)
    if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ] && ! grep -q 'Zero tests ran' "$log"; then
        warn "$suite ended with exit code $code and no summary of a failure"
        failed=1
    fi
    PASSED=$((PASSED + passed))
    FAILED=$((FAILED + failed))
}

open_state
trap finish EXIT

step "Install what is missing"
HOTPATCH_PACKAGES_LOG=$STATE/log/packages.log quietly "$STATE/log/packages.log" "$HERE/local/packages.sh" dotnet postgres toolchain rabbitmq
if [ -r "$HOTPATCH_ROOT/tests/targets/redis/packages.txt" ]; then
    mapfile -t packages < <(grep -v '^#' "$HOTPATCH_ROOT/tests/targets/redis/packages.txt")
    HOTPATCH_PACKAGES_LOG=$STATE/log/packages.log "$HERE/local/packages.sh" debian "${packages[@]}" \
        || note "what building redis-server needs cannot be had: its tests will be skipped"
fi
HOTPATCH_PACKAGES_LOG=$STATE/log/packages.log "$HERE/local/packages.sh" qemu 2>> "$STATE/log/packages.log" \
    || note "QEMU and kernel headers cannot be had: the tests of kernel livepatches will be skipped"
HOTPATCH_PACKAGES_LOG=$STATE/log/packages.log "$HERE/local/packages.sh" debian prometheus 2>> "$STATE/log/packages.log" \
    || note "Prometheus cannot be had: the tests of gates that ask it will be skipped"

step "Start private servers"
HOTPATCH_TEST_PG=$("$HERE/local/postgres.sh" start)
"$HERE/local/rabbitmq.sh" start > "$STATE/log/rabbitmq-start.log" 2>&1 &
BROKER_JOB=$!
HOTPATCH_TEST_AMQP=$("$HERE/local/rabbitmq.sh" url)
export HOTPATCH_TEST_PG HOTPATCH_TEST_AMQP

step "Build"
quietly "$STATE/log/build.log" dotnet build "$HOTPATCH_ROOT/Hotpatch.sln" --nologo -v quiet -clp:ErrorsOnly
build_native_programs "$STATE/log/build.log"
wait "$BROKER_JOB" || die_with_log "$STATE/log/rabbitmq-start.log" "RabbitMQ did not start"

step "Test"
PASSED=0 FAILED=0
for suite in "${SUITES[@]}"; do run_suite "$suite"; done
end_step

if [ $((PASSED + FAILED)) -eq 0 ]; then
    warn "no test ran"
    FAILED=1
fi
[ "$FAILED" -eq 0 ] || warn "logs: $STATE/log"
printf '\n%d passed, %d failed\n' "$PASSED" "$FAILED"
[ "$FAILED" -eq 0 ]
