#!/usr/bin/env bash
# What takes too long for every commit. Each part prints its own table; ends with one line a part.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
PARTS=(fuzz kills corpus stops chance fleet)

usage() {
    cat <<'TEXT'
usage: infra/nightly.sh [PART...]        all parts by default; exit code 0 when all passed

  fuzz     1,000,000 mutated inputs for each parser (about 45 minutes on one core)
  kills    500 kills of the patcher at any time under 50 hammering threads (about 5 minutes)
  corpus   published security fixes of Debian packages, each built, applied under load, rolled back (1 to 2 hours; root and apt)
  stops    how long a patched process stands still, beside the floor and, where they are built, libpulp and libcare (5 minutes)
  chance   100,000 rollouts by seed through every fault of the simulation, held to the invariants after each step (about 7 minutes)
  fleet    rollouts over 100, 1,000 and 10,000 simulated agents beside the raw servers, then the same by Ansible (about 15 minutes; root)
TEXT
}

case ${1:-} in -h | --help) usage; exit 0 ;; esac
[ $# -gt 0 ] && PARTS=("$@")
for part in "${PARTS[@]}"; do case $part in fuzz | kills | corpus | stops | chance | fleet) ;; *) usage >&2; exit 2 ;; esac; done

export HOTPATCH_STATE=${HOTPATCH_STATE:-$(cd "$HERE/.." && pwd -P)/.state/nightly-$$}
. "$HERE/local/lib.sh"
for part in story build; do . "$HERE/demo/$part.sh"; done
export HOTPATCH_CACHE=$CACHE
open_state

fuzz() { dotnet run -c Release --project "$HOTPATCH_ROOT/tests/Fuzz" -- --findings "$STATE/findings"; }

kills() {
    HOTPATCH_KILLS=500 dotnet test --project "$HOTPATCH_ROOT/tests/Integration" --no-build -- --filter-class '*PatcherKilledAtAnyTime'
}

corpus() { "$HOTPATCH_ROOT/tests/Corpus/run.sh"; }

stops() { dotnet run -c Release --project "$HOTPATCH_ROOT/tests/Benchmarks" -- --rounds 30; }

chance() {
    HOTPATCH_SEED=1 HOTPATCH_SCHEDULES=100000 dotnet test --project "$HOTPATCH_ROOT/tests/Unit" --no-build -- --filter-class '*CarryingAPatchThroughRings'
}

# The servers are those of the benchmark itself.
fleet() {
    "$HERE/local/packages.sh" postgres rabbitmq debian ansible-core
    env -u HOTPATCH_STATE dotnet run -c Release --project "$HOTPATCH_ROOT/tests/Benchmarks" -- rollout \
        && env -u HOTPATCH_STATE dotnet run -c Release --no-build --project "$HOTPATCH_ROOT/tests/Benchmarks" -- ansible
}

step "Build"
"$HERE/local/packages.sh" dotnet toolchain
quietly "$STATE/log/build.log" dotnet build "$HOTPATCH_ROOT/Hotpatch.sln" --nologo -v quiet -clp:ErrorsOnly
build_native_programs "$STATE/log/build.log"
end_step

FAILED=0 LINES=()
for part in "${PARTS[@]}"; do
    printf '\n== %s\n' "$part"
    begun=$SECONDS
    if "$part"; then verdict=passed; else verdict=FAILED FAILED=1; fi
    LINES+=("$(printf '%-8s %s in %d s' "$part" "$verdict" $((SECONDS - begun)))")
done
printf '\n'
printf '%s\n' "${LINES[@]}"
[ "$FAILED" -eq 0 ] && rm -rf "${STATE:?}"
exit "$FAILED"
