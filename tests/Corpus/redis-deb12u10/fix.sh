# shellcheck shell=bash
# The five fixes of Debian's 7.0.15-1~deb12u10 as one patch of the binary that Debian shipped, from tests/targets/redis. The proof is upstream's
# corrupt zipmap of CVE-2026-25243.
package=redis version=7.0.15-1~deb12u7
REDIS=$HOTPATCH_ROOT/tests/targets/redis
packages=$(grep -v '^#' "$REDIS/packages.txt" | tr '\n' ' ')
advisory='CVE-2026-23631 CVE-2026-25243 CVE-2026-66373 CVE-2026-81934 CVE-2026-92925'
kind='daemon, threads'
fix=deb12u10
build=$REDIS/make.sh
program=src/redis-server

prepare_source() { "$REDIS/fetch.sh" "$CACHE/redis"; SOURCE=$CACHE/redis/source; }
build_shipped()  { SHIPPED=$CACHE/redis/shipped/redis-server; }
diffs()          { echo "$CACHE/redis/fix.diff"; }

start() { launch "$TARGET" "$STATE/log/target.log" "$SHIPPED" --port "$PORT" --bind 127.0.0.1 --save '' --appendonly no --daemonize no; }
load()  { export LOAD_SEND='SET corpus patched\r\nGET corpus\r\n' LOAD_EXPECT='+OK\r\n$7\r\npatched\r\n' LOAD_KEEP=1; }
prove() { "$REDIS/prove.sh" "$PORT"; }
vulnerable='+OK'
fixed='-ERR Bad data format'
