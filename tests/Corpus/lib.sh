# shellcheck shell=bash
# One fix from source to proof: the vulnerable state under load, the patch from the published diff, applied, proven, taken out again.
# Sourced by run.sh after infra/local/lib.sh; FOLDER/fix.sh says what is special (see README.md).

WATCH_SECONDS=2
THREADS=4
BUSY=5 TRIES=5                                   # exit code of hotpatch, and how often it is asked

# step TEXT COMMAND...: one line with its seconds. A step that fails ends the fix; the trap of run_fix tells.
step() {
    local began=$EPOCHREALTIME
    CURRENT=$1; shift
    printf '    %-46s ' "$CURRENT"
    "$@" >> "$LOG" 2>&1
    printf '%7s s\n' "$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $began }")"
}

defaults_of_a_fix() {
    before='' includes='' libraries='' soname='' expect=patched quick=no consistency=set language=C packages='' adapted='' trees=no safe_layouts='' note='-'
    prove()   { ask probe; }
    targets() { pid_of "$TARGET"; }
    prepare() { :; }
    diffs()   { local name; for name in $fix; do echo "$SOURCE/debian/patches/$name"; done; }
}

# run_fix NAME: in a subshell of its own, under set -e.
run_fix() {
    FIX=$1 FOLDER=$CORPUS/$1
    defaults_of_a_fix
    # shellcheck source=/dev/null
    . "$FOLDER/fix.sh"
    open_fix
    exec 8>&1
    trap 'ended=$?; end_of_fix "$ended" >&8 2>&8' EXIT
    printf '%s: %s %s, %s\n' "$FIX" "$package" "$version" "$advisory"
    step 'packages' build_packages
    step 'fetch the source, without the fix' prepare_source
    step 'build the vulnerable state' build_shipped
    build_and_judge
    [ "$VERDICT" = failed ] || return 0
    step 'start the vulnerable state under load' start_under_load
    step 'prove that it is vulnerable' answers "$vulnerable"
    step 'apply to the running processes' apply_patch
    step 'prove that it is fixed' answers "$fixed"
    step 'attest, keep the load on it' watch_patched
    step 'roll back' roll_back
    step 'prove that it is vulnerable again' answers "$vulnerable"
    step 'nothing failed, nothing restarted' nothing_happened
    VERDICT=patched REASON=$note
}

open_fix() {
    local digest
    STATE=$CACHE/corpus/state/$FIX
    open_state
    DOWNLOADS=$CACHE/corpus/downloads
    # Fixes of one package that start from the same state share its builds.
    digest=$(printf '%s' "$version ${before:-${fix%% *}} $build" | sha256sum | cut -c 1-8)
    WORK=$CACHE/corpus/packages/$package-$digest
    SOURCE=$WORK/source SHIPPED=$WORK/shipped/${program##*/}
    PATCH=$STATE/$FIX.hpatch LOG=$STATE/log/run.log TARGET=target
    mkdir -p "$WORK"
    : > "$LOG"
    VERDICT=failed REASON='' FUNCTIONS='-' BYTES='-' APPLY_US='-' ROLLBACK_US='-' REQUESTS='-' FAILURES='-'
}

build_packages() {
    local wanted
    read -ra wanted <<< "build-essential dpkg-dev pkg-config patch curl $packages"
    HOTPATCH_PACKAGES_LOG=$LOG "$HOTPATCH_ROOT/infra/local/packages.sh" debian "${wanted[@]}"
}

# --- the running target ----------------------------------------------------------------------------------------------

start_under_load() {
    local folder=$STATE/target
    halt_fix
    rm -rf "$folder"
    mkdir -p "$folder"
    build_loader
    CONTROL=$(free_ports 1) PORT=$(free_ports 1)
    if [ "$kind" = library ]; then
        (cd "$folder"; prepare; launch "$TARGET" "$STATE/log/target.log" "$LOADER" "$CONTROL" "$THREADS")
    else
        (cd "$folder"; prepare; start)
        wait_until 20 port_open "$PORT"
        (cd "$folder"; load; export LOAD_PORT=$PORT; launch load "$STATE/log/load.log" "$LOADER" "$CONTROL" "$THREADS")
    fi
    wait_until 20 port_open "$CONTROL"
    wait_until 30 requests_pass 20
    sleep 1                                      # children of a daemon appear a moment after its port
    started_as > "$STATE/started-as"
}

# ask QUESTION: of the harness.
ask() {
    local line=''
    exec 3<> "/dev/tcp/127.0.0.1/$CONTROL"
    printf '%s\n' "$1" >&3
    IFS= read -r -t 60 line <&3 || true
    exec 3>&-
    printf '%s\n' "$line"
}

requests_pass() { local n; n=$(ask counts | cut -d' ' -f1); [ "${n:-0}" -gt "$1" ]; }

# "PID START" of each process concerned.
started_as() { local pid; for pid in $(targets); do printf '%s %s\n' "$pid" "$(start_time "$pid")"; done; }

answers() {
    local answer
    answer=$(cd "$STATE/target" && prove)
    echo "expected: $1"
    echo "answered: $answer"
    # shellcheck disable=SC2053
    [[ $answer == $1 ]] || die "expected '$1', answered '$answer'"
}

keep_watching() {
    local before
    before=$(ask counts | cut -d' ' -f1)
    sleep "$WATCH_SECONDS"
    requests_pass "$before" || die 'the load does not move any more'
    [ "$(ask counts | cut -d' ' -f2)" = 0 ] || die "the load saw failures: $(ask counts) (requests, failures)"
}

nothing_happened() {
    keep_watching
    read -r REQUESTS FAILURES < <(ask counts)
    started_as | diff "$STATE/started-as" - || die 'a process is gone or another one'
}

halt_fix() { halt load TERM 5; halt "$TARGET" TERM 10; halt backend TERM 5; }

# What a fix.sh needs now and then: an answer over TCP (the text with \\r \\n), a process with its children, a server behind a proxy.
exchange() {
    exec 3<> "/dev/tcp/127.0.0.1/$1"
    printf '%b' "$2" >&3
    timeout 20 cat <&3 | tr -d '\r'
    exec 3>&-
}

with_children() { printf '%s\n' "$1"; cat "/proc/$1/task/"*/children | tr ' ' '\n' | sed '/^$/d'; }

start_echo() {
    gcc -O2 -pthread -o "$WORK/echo" "$CORPUS/echo.c"
    echo "$1" > backend
    launch backend "$STATE/log/backend.log" "$WORK/echo" "$1"
}

# --- the patch ---------------------------------------------------------------------------------------------------------

hotpatch() { HOTPATCH_CONFIG=$STATE/none.json "$HOTPATCH_CLI" "$@"; }

# What was expected of the builder: patched; "refused CODES"; "unsafe WHY": it makes a patch, but this one must not go into a running process.
build_and_judge() {
    step 'build the patch' try_build
    if [ "$BUILD_CODE" != 0 ]; then
        REASON=$(sed -n 's/^ *code: *//p' "$STATE/build.err" | sort | uniq -c | awk '{ printf "%s%s x%s", sep, $2, $1; sep = ", " }')
        VERDICT=refused
    elif [[ $expect == unsafe* ]]; then
        REASON=${expect#unsafe } VERDICT=unsafe
    fi
    # shellcheck disable=SC2053
    case $expect in
        patched) [ "$VERDICT" != refused ] || die "the patch was refused: $REASON" ;;
        refused*) [[ $VERDICT == refused && $REASON == ${expect#refused } ]] || die "'$expect' was expected, and not: $VERDICT $REASON" ;;
        unsafe*) [ "$VERDICT" = unsafe ] || die "the builder refuses it now ($REASON): the expectation has to be changed" ;;
    esac 2>> "$LOG"
}

try_build() {
    local diff name arguments=()
    # An adapted fix replaces the published one where that cannot be taken as it is; its lines are counted in the table.
    mapfile -t DIFFS < <(if [ -n "$adapted" ]; then echo "$FOLDER/$adapted"; else diffs; fi)
    for name in $advisory; do arguments+=(--advisory "$name"); done
    for name in $safe_layouts; do arguments+=(--layout-is-safe "$name"); done
    if [ "$trees" = yes ]; then
        build_trees
        arguments+=(--original-objects "$WORK/original-objects-$FIX" --patched-objects "$WORK/patched-objects-$FIX" --original-program "$WORK/shipped-tree/$program")
    else
        for diff in "${DIFFS[@]}"; do arguments+=(--diff "$diff"); done
        arguments+=(--source "$SOURCE" --make "$build" --program "$program")
    fi
    BUILD_CODE=0
    hotpatch build -o json "${arguments[@]}" --shipped "$SHIPPED" --name "$FIX" --consistency "$consistency" \
        --work "$WORK/builds" --out "$PATCH" > "$STATE/build.json" 2> "$STATE/build.err" || BUILD_CODE=$?
    cat "$STATE/build.err" "$STATE/build.json"
    [ "$BUILD_CODE" = 0 ] || return 0
    DIGEST=$(number_or_text digest "$STATE/build.json")
    BYTES=$(stat -c %s "$PATCH") FUNCTIONS=$(grep -c '"newSize"' "$STATE/build.json")
    [ -s "$CACHE/corpus/keys/corpus.key" ] || hotpatch key new --out "$CACHE/corpus/keys" --name corpus
    hotpatch sign "$PATCH" --key "$CACHE/corpus/keys/corpus.key"
}

# number_or_text NAME FILE: the first value of that name in indented JSON.
number_or_text() { sed -n "s/^ *\"$1\": *\"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" "$2" | head -n 1; }

# largest NEW OLD
largest() { if [ "$2" = - ] || [ "$1" -gt "$2" ]; then echo "$1"; else echo "$2"; fi; }

# unless_busy FILE VERB...: "busy" means that nothing was changed and that it may be tried again, which a loaded machine makes necessary.
unless_busy() {
    local file=$1 verb=$2 code tries; shift 2
    for ((tries = 1; ; tries++)); do
        code=0
        hotpatch "$verb" -o json "$@" > "$file" || code=$?
        cat "$file"
        [ "$code" = "$BUSY" ] && [ "$tries" -lt "$TRIES" ] || return "$code"
        sleep 1
    done
}

apply_patch() {
    local pid
    for pid in $(targets); do
        unless_busy "$STATE/apply.json" apply --pid "$pid" "$PATCH" --trust "$CACHE/corpus/keys"
        FUNCTIONS=$(number_or_text sites "$STATE/apply.json")
        APPLY_US=$(largest "$(number_or_text stopMicroseconds "$STATE/apply.json")" "$APPLY_US")
    done
}

watch_patched() {
    local pid
    for pid in $(targets); do
        hotpatch attest --pid "$pid" > "$STATE/attest" || { cat "$STATE/attest"; return 1; }
        grep "$FIX" "$STATE/attest"
    done
    keep_watching
}

roll_back() {
    local pid
    for pid in $(targets); do
        unless_busy "$STATE/rollback.json" rollback --pid "$pid" --digest "$DIGEST"
        ROLLBACK_US=$(largest "$(number_or_text stopMicroseconds "$STATE/rollback.json")" "$ROLLBACK_US")
    done
}
