#!/usr/bin/env bash
# Runs published security fixes of real programs through the product, one after the other.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../infra/local/lib.sh"
CORPUS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=source.sh
. "$CORPUS/source.sh"
# shellcheck source=lib.sh
. "$CORPUS/lib.sh"
# shellcheck source=results.sh
. "$CORPUS/results.sh"

usage() {
    cat <<'TEXT'
usage: tests/Corpus/run.sh [NAME...]        all fixes when none is named
       tests/Corpus/run.sh --quick          those that build in less than a minute
       tests/Corpus/run.sh --list
       tests/Corpus/run.sh --table          the last row of each, without running any

Each: the vulnerable state of a Debian package under load, the patch from the published diff, applied, proven, rolled back.
Needs root (ptrace, packages of the build), Debian 12 and its archive, the .NET 10 SDK.
  HOTPATCH_CLI, HOTPATCH_PATCHER   programs to use; built from this checkout when not set
  HOTPATCH_CACHE                   downloads, builds, logs and results (.state/cache)
Exit code 0 when every fix came out as expected; corpus/results.tsv in the cache has the table.
TEXT
}

names() { local file; for file in "$CORPUS"/*/fix.sh; do basename "$(dirname "$file")"; done; }
quick() { local file; for file in $(grep -l '^quick=yes$' "$CORPUS"/*/fix.sh); do basename "$(dirname "$file")"; done; }

ROWS=$CACHE/corpus/rows RESULTS=$CACHE/corpus/results.tsv

build_product() {
    local log=$CACHE/corpus/product.log
    mkdir -p "${log%/*}"
    if [ -z "${HOTPATCH_CLI:-}" ]; then
        say 'building hotpatch'
        dotnet publish "$HOTPATCH_ROOT/services/Cli" -c Release -p:RunAnalyzers=false -o "$HOTPATCH_ROOT/artifacts/Cli" -v quiet -clp:ErrorsOnly > "$log" 2>&1 \
            || die_with_log "$log" 'hotpatch could not be built'
        HOTPATCH_CLI=$HOTPATCH_ROOT/artifacts/Cli/hotpatch
    fi
    if [ -z "${HOTPATCH_PATCHER:-}" ]; then
        say 'compiling hotpatch-patcher'
        dotnet publish "$HOTPATCH_ROOT/services/Patcher" -c Release -p:RunAnalyzers=false -r linux-x64 -o "$HOTPATCH_ROOT/artifacts/Patcher" -v quiet -clp:ErrorsOnly >> "$log" 2>&1 \
            || die_with_log "$log" 'hotpatch-patcher could not be built'
        HOTPATCH_PATCHER=$HOTPATCH_ROOT/artifacts/Patcher/hotpatch-patcher
    fi
    export HOTPATCH_PATCHER
    if command -v dotnet > /dev/null; then export DOTNET_ROOT=${DOTNET_ROOT:-$(dirname "$(readlink -f "$(command -v dotnet)")")}; fi
}

case ${1:-} in
    -h | --help) usage; exit 0 ;;
    --list) names; exit 0 ;;
    --table) mapfile -t wanted < <(names); table "${wanted[@]}"; exit 0 ;;
    --quick) mapfile -t wanted < <(quick) ;;
    -*) usage >&2; exit 2 ;;
    '') mapfile -t wanted < <(names) ;;
    *) wanted=("$@") ;;
esac
for name in "${wanted[@]}"; do [ -f "$CORPUS/$name/fix.sh" ] || { usage >&2; die "there is no fix '$name'"; }; done

mkdir -p "$CACHE/corpus/rows"
CACHE=$(cd "$CACHE" && pwd -P)
ROWS=$CACHE/corpus/rows RESULTS=$CACHE/corpus/results.tsv
build_product
unexpected=0
for name in "${wanted[@]}"; do
    rm -f "$ROWS/$name"
    # Not in a condition: that would switch off set -e inside.
    set +e
    (set -e; run_fix "$name")
    code=$?
    set -e
    [ "$code" = 0 ] || unexpected=$((unexpected + 1))
done
say ''
table "${wanted[@]}"
say ''
say "$((${#wanted[@]} - unexpected)) of ${#wanted[@]} fixes came out as expected"
[ "$unexpected" = 0 ]
