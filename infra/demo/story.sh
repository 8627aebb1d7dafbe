# shellcheck shell=bash
# How the demo speaks: numbered steps with their seconds, claims that hold or end it, one table. Sourced by demo.sh.

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    BOLD=$'\e[1m' DIM=$'\e[2m' GREEN=$'\e[32m' RED=$'\e[31m' PLAIN=$'\e[0m'
else
    BOLD='' DIM='' GREEN='' RED='' PLAIN=''
fi

STEP=0
STEP_BEGAN=0
CLAIMS=0
CLAIMS_BROKEN=0

step() {                                    # step TITLE: ends the step before it and begins the next
    end_step
    STEP=$((STEP + 1))
    STEP_BEGAN=$SECONDS
    printf '\n%s%2d. %s%s\n' "$BOLD" "$STEP" "$1" "$PLAIN"
}

end_step() {
    [ "$STEP" -eq 0 ] || printf '    %s%d s%s\n' "$DIM" $((SECONDS - STEP_BEGAN)) "$PLAIN"
}

note() { printf '    %s\n' "$*"; }

# typed COMMAND...: shows the command as a user types it, runs it, indents nothing so that its output can be copied.
typed() {
    printf '    %s$ %s%s\n' "$BOLD" "$(shell_words "$@")" "$PLAIN"
    "$@"
}

shell_words() {
    local word line=''
    for word; do
        [[ $word == *[^A-Za-z0-9_./:=%@,+-]* || -z $word ]] && word="'$word'"
        line="$line${line:+ }$word"
    done
    printf '%s' "$line"
}

# claim SENTENCE COMMAND...: the demo's promises. A broken one is printed, the story goes on, the exit code tells.
claim() {
    local sentence=$1; shift
    CLAIMS=$((CLAIMS + 1))
    if "$@"; then
        printf '    %sholds%s   %s\n' "$GREEN" "$PLAIN" "$sentence"
    else
        CLAIMS_BROKEN=$((CLAIMS_BROKEN + 1))
        printf '    %sBROKEN%s  %s\n' "$RED" "$PLAIN" "$sentence"
    fi
}

equal() { [ "$1" = "$2" ] || { note "        expected '$2', got '$1'"; return 1; }; }

# quietly LOG COMMAND...: output to a log; on failure its last lines and the end.
quietly() {
    local log=$1; shift
    "$@" >> "$log" 2>&1 || die_with_log "$log" "failed: $(shell_words "$@" | cut -c 1-160)"
}
