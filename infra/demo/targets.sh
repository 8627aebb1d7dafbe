# shellcheck shell=bash
# The two things the demo can patch: Debian's redis-server, and the small server of tests/targets/teller.
# choose_target sets TARGET and these: MODULE SOURCE MAKE PROGRAM SHIPPED FIX[] BAD[] PATCH ADVISORY PROVE. Sourced by demo.sh.

REDIS=$HOTPATCH_ROOT/tests/targets/redis
TELLER=$HOTPATCH_ROOT/tests/targets/teller

# choose_target WANTED LOG: redis where its sources and build packages can be had, else teller, and why.
choose_target() {
    local wanted=$1 log=$2
    permit_ptrace "$log"
    if [ "$wanted" != teller ]; then
        if prepare_redis "$log"; then TARGET=redis; return; fi
        [ "$wanted" != redis ] || die_with_log "$log" "redis-server $REDIS_MISSING"
        note "redis-server $REDIS_MISSING: the small server of tests/targets/teller serves instead ($log)"
    fi
    prepare_teller "$log"
    TARGET=teller
}

prepare_redis() {
    local log=$1 packages
    REDIS_MISSING='is not in this checkout'
    [ -x "$REDIS/fetch.sh" ] || return 1
    mapfile -t packages < <(grep -v '^#' "$REDIS/packages.txt")
    REDIS_MISSING='cannot be built: packages are missing'
    HOTPATCH_PACKAGES_LOG=$log "$HOTPATCH_ROOT/infra/local/packages.sh" debian "${packages[@]}" >> "$log" 2>&1 || return 1
    REDIS_MISSING='cannot be fetched: the archive is out of reach'
    "$REDIS/fetch.sh" "$CACHE/redis" >> "$log" 2>&1 || return 1
    MODULE=redis-server
    SOURCE=$CACHE/redis/source
    MAKE=$REDIS/make.sh
    PROGRAM=src/redis-server
    SHIPPED=$CACHE/redis/shipped/redis-server
    FIX=("$CACHE/redis/fix.diff")
    BAD=("$CACHE/redis/fix.diff" "$REDIS/bad-fix.diff")
    PATCH=redis-deb12u10
    ADVISORY=(CVE-2026-23631 CVE-2026-25243 CVE-2026-66373 CVE-2026-81934 CVE-2026-92925)
    PROVE=$REDIS/prove.sh
}

prepare_teller() {
    mkdir -p "$CACHE/teller/source" "$CACHE/teller/vendor" "$CACHE/teller/shipped"
    cp -u "$TELLER"/teller.c "$TELLER"/load.c "$TELLER"/Makefile "$CACHE/teller/source/"
    cp -u "$CACHE/teller/source/"* "$CACHE/teller/vendor/"
    quietly "$1" make -C "$CACHE/teller/vendor" teller
    strip -o "$CACHE/teller/shipped/teller" "$CACHE/teller/vendor/teller"
    MODULE=teller
    SOURCE=$CACHE/teller/source
    MAKE='make teller'
    PROGRAM=teller
    SHIPPED=$CACHE/teller/shipped/teller
    FIX=("$TELLER/fix.diff")
    BAD=("$TELLER/bad-fix.diff")
    PATCH=teller-restore
    ADVISORY=(HOTPATCH-2026-0001)
    PROVE=$TELLER/prove.sh
}

# launch_target NAME PORT FOLDER: the shipped program, working in a folder of its own.
launch_target() {
    local command=("$SHIPPED" "$2")
    [ "$TARGET" = teller ] || command=("$SHIPPED" --port "$2" --bind 127.0.0.1 --save '' --appendonly no --daemonize no --dir "$3")
    (cd "$3" && launch "$1" "$3/../target.log" "${PERMIT[@]}" "${command[@]}")
}

# Without root the kernel may let only a parent trace a process; then the target permits it itself.
permit_ptrace() {
    local scope
    PERMIT=()
    [ "$(id -u)" != 0 ] || return 0
    scope=$(cat /proc/sys/kernel/yama/ptrace_scope 2> /dev/null || echo 0)
    [ "$scope" -le 1 ] || die "kernel.yama.ptrace_scope is $scope: only root may patch processes here"
    [ "$scope" -eq 1 ] || return 0
    quietly "$1" gcc -O2 -o "$CACHE/allow-ptrace" "$HOTPATCH_ROOT/infra/demo/allow-ptrace.c"
    PERMIT=("$CACHE/allow-ptrace")
}

prove() { "$PROVE" "$1" 2> /dev/null || echo "no answer"; }

VULNERABLE='+OK'
FIXED='-ERR Bad data format'
