# shellcheck shell=bash
# Builds what the demo runs, into artifacts/, and only what changed since; the analyzers run in the test build. Sourced by demo.sh.

ARTIFACTS=$HOTPATCH_ROOT/artifacts
SERVICES_TSV=$HOTPATCH_ROOT/infra/services.tsv

# Programs that need the runtime look for it in the usual places and here.
if command -v dotnet > /dev/null; then export DOTNET_ROOT=${DOTNET_ROOT:-$(dirname "$(readlink -f "$(command -v dotnet)")")}; fi

# The services, as "name project port agents-port" a line.
services() { grep -v '^#' "$SERVICES_TSV"; }

# One hash over the content of every source below the given folders, and over the compiler's version.
sources_hash() {
    (cd "$HOTPATCH_ROOT" && {
        dotnet --version
        find "$@" Directory.* global.json infra/demo/demo.slnf -type f \
            ! -path '*/bin/*' ! -path '*/obj/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    }) | sha256sum | cut -d' ' -f1
}

up_to_date() { [ "$(cat "$ARTIFACTS/$1.stamp" 2> /dev/null)" = "$2" ]; }

build_native_programs() {
    export HOTPATCH_AGENT=$ARTIFACTS/Agent/hotpatch-agent HOTPATCH_PATCHER=$ARTIFACTS/Patcher/hotpatch-patcher
    build_native "$1" Patcher hotpatch-patcher libs/Contracts libs/Packaging libs/Engine
    build_native "$1" Agent hotpatch-agent libs/Contracts libs/Trust libs/Packaging
}

# Copies of the build output: a later build in the checkout must not change files under running services.
build_managed() {
    local log=$1 stamp project
    mkdir -p "$ARTIFACTS"
    stamp=$(sources_hash libs services)
    up_to_date managed "$stamp" && { note "services and hotpatch: up to date"; return; }
    note "services and hotpatch: building"
    quietly "$log" dotnet build "$HOTPATCH_ROOT/infra/demo/demo.slnf" -c Release -p:RunAnalyzers=false --nologo -v quiet -clp:ErrorsOnly
    for project in Catalog Rollouts Gateway Compliance Standalone Cli; do
        rm -rf "${ARTIFACTS:?}/$project"
        cp -a "$HOTPATCH_ROOT/services/$project/bin/Release/net10.0" "$ARTIFACTS/$project"
    done
    printf '%s\n' "$stamp" > "$ARTIFACTS/managed.stamp"
}

build_native() {
    local log=$1 project=$2 program=$3 stamp; shift 3
    mkdir -p "$ARTIFACTS"
    stamp=$(sources_hash "services/$project" "$@")
    up_to_date "$project" "$stamp" && { note "$program: up to date"; return; }
    note "$program: compiling to native code"
    rm -rf "${ARTIFACTS:?}/$project"
    quietly "$log" dotnet publish "$HOTPATCH_ROOT/services/$project" -c Release -p:RunAnalyzers=false -r linux-x64 -o "$ARTIFACTS/$project" --nologo -v quiet -clp:ErrorsOnly
    [ -x "$ARTIFACTS/$project/$program" ] || die_with_log "$log" "no $program after its build"
    printf '%s\n' "$stamp" > "$ARTIFACTS/$project.stamp"
}
