# shellcheck shell=bash
# The end of a fix as a row, and the rows as a table. Sourced by run.sh.

# end_of_fix EXIT-CODE: the trap of a fix; stops what it started and writes its row.
end_of_fix() {
    local lines=0
    halt_fix
    if [ "$1" != 0 ]; then
        printf 'FAILED (log: %s)\n' "$LOG"
        tail -n 5 "$LOG" | sed 's/^/        /'
        REASON="at '$CURRENT': $(tail -n 1 "$LOG")"
        VERDICT=FAILED
    fi
    # Lines of the adapted fix that the published one does not have.
    if [ -n "$adapted" ]; then lines=$(grep -c '^[+-][^+-]' "$FOLDER/$adapted" || true); fi
    printf '%s\t' "$FIX" "$package $version" "$kind $language" "$FUNCTIONS" "$BYTES" "$VERDICT" "$lines" "$APPLY_US" "$ROLLBACK_US" "$REQUESTS" "$FAILURES" > "$ROWS/$FIX"
    printf '%s\n' "$REASON" >> "$ROWS/$FIX"
    printf '    %s%s\n' "$VERDICT" "$([ "$REASON" = - ] || printf ': %s' "$REASON")"
}

# table NAME...: of the rows of this run, as text for a terminal; the file holds the same, separated by tabs.
table() {
    local name
    {
        printf 'fix\tpackage\tkind\tfunctions\tbytes\tverdict\thand-written\tapply us\troll back us\trequests\tfailed\treason\n'
        for name; do [ ! -f "$ROWS/$name" ] || cat "$ROWS/$name"; done
    } > "$RESULTS"
    awk -F '\t' '
        { rows = NR; for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (i < 12 && length($i) > width[i]) width[i] = length($i) } }
        END { for (r = 1; r <= rows; r++) { for (i = 1; i < 12; i++) printf "%-" width[i] "s  ", cell[r, i]; print cell[r, 12] } }' "$RESULTS"
}
