# shellcheck shell=bash
# From a diff to a rollout: build, sign, inspect, publish, plan, start, watch. Sourced by demo.sh.

make_keys() {
    [ -s "$STATE/keys/release.key" ] || quietly "$STATE/log/cli.log" hotpatch key new --out "$STATE/keys" --name release
    mkdir -p "$STATE/trust"
    cp "$STATE"/keys/*.pub "$STATE/trust/"
}

# build_patch NAME LEVEL SUMMARY DIFF...
build_patch() {
    local name=$1 level=$2 summary=$3 diff arguments=(); shift 3
    for diff; do arguments+=(--diff "$diff"); done
    for advisory in "${ADVISORY[@]}"; do arguments+=(--advisory "$advisory"); done
    mkdir -p "$CACHE/builds/$TARGET" "$STATE/patches"
    hotpatch build --source "$SOURCE" "${arguments[@]}" --make "$MAKE" --program "$PROGRAM" --shipped "$SHIPPED" --module "$MODULE" \
        --name "$name" --level "$level" --summary "$summary" --severity high --probe 'ping=tcp:0:PING\r\n:+PONG' \
        --work "$CACHE/builds/$TARGET" --out "$STATE/patches/$name.hpatch" > "$STATE/log/build-$name.log" 2>&1 \
        || die_with_log "$STATE/log/build-$name.log" "the patch $name could not be built"
}

publish_patch() {
    local file=$STATE/patches/$1.hpatch
    typed hotpatch sign "$file" --key "$STATE/keys/release.key"
    typed hotpatch inspect "$file" --trust "$STATE/trust"
    typed hotpatch publish "$file"
}

# roll_out ROLLOUT PATCH REASON WATCH-OPTIONS...
roll_out() {
    local rollout=$1 patch=$2 reason=$3; shift 3
    typed hotpatch rollout plan --patch "$patch" --ring canary:1 --ring early:25% --ring rest:rest --name "$rollout" --bake 5s --on-failure rollback
    typed hotpatch rollout start "$rollout" --reason "$reason"
    typed hotpatch rollout watch "$rollout" --timeout 300 "$@"
}
