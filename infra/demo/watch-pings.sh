#!/usr/bin/env bash
# watch-pings.sh FLEET FILE: asks every target for PING again and again and writes "time endpoint answer" for each that is not +PONG.
# The load leaves PING out, because the bad patch breaks exactly that; this is how the demo sees who was hit.
set -euo pipefail
fleet=$1 file=$2
while :; do
    while read -r name _ _ port; do
        answer='no connection'
        if { exec 3<> "/dev/tcp/127.0.0.1/$port"; } 2> /dev/null; then
            printf 'PING\r\n' >&3
            answer='no answer'
            IFS= read -r -t 2 answer <&3 || true
            exec 3>&-
        fi
        answer=${answer%$'\r'}
        [ "$answer" = +PONG ] || printf '%s %s %s\n' "$EPOCHREALTIME" "$name" "$answer" >> "$file"
    done < "$fleet"
    sleep 0.1
done
