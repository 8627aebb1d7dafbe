#!/usr/bin/env bash
# fetch.sh DEST: Debian's vulnerable redis-server 7.0.15-1~deb12u7 as it was shipped, its source, and the security fix of deb12u10 as a diff.
#   DEST/shipped/redis-server   the stripped binary of the package
#   DEST/source                 the source package, patches applied
#   DEST/fix.diff               what deb12u10's debian/patches has and deb12u7's has not, in series order
# Exit code 3 when the archive is out of reach.
set -euo pipefail

dest=$(mkdir -p "$1" && cd "$1" && pwd)
old=7.0.15-1~deb12u7
new=7.0.15-1~deb12u10
main=http://deb.debian.org/debian/pool/main/r/redis
security=http://deb.debian.org/debian-security/pool/updates/main/r/redis

[ -f "$dest/done" ] && exit 0

fetch() { # URL SHA256
    local file=$dest/${1##*/}
    [ -f "$file" ] && echo "$2  $file" | sha256sum --check --quiet - 2> /dev/null && return
    curl --fail --silent --show-error --max-time 120 --output "$file" "$1" || { echo "the archive is out of reach: $1" >&2; exit 3; }
    echo "$2  $file" | sha256sum --check --quiet - || { echo "$file is not what it should be" >&2; exit 1; }
}

fetch "$main/redis_7.0.15.orig.tar.gz" 4b1dc4ee6d622a09fff9c6777191209750fb5e5a725ef78ea012d6eef4c22982
fetch "$main/redis_$old.debian.tar.xz" 1414177085364a374a89de565845dbb9798ef46c8a91a2726e4485a376b6b9ec
fetch "$security/redis_$new.debian.tar.xz" 77d8423c427657bb2f5b635f51184e8064a51c93fcbd7519146da587a8361bbc
fetch "$main/redis-tools_${old}_amd64.deb" 3c8cd27847c6a06b6f6c29e7415a9057462a89661e3a8e2eb8dd5b2d7830bb40

rm -rf "$dest/source" "$dest/shipped" "$dest/tools" "$dest/newer"
mkdir -p "$dest/source" "$dest/shipped" "$dest/tools" "$dest/newer"
tar -xzf "$dest/redis_7.0.15.orig.tar.gz" -C "$dest/source" --strip-components=1
tar -xJf "$dest/redis_$old.debian.tar.xz" -C "$dest/source"
tar -xJf "$dest/redis_$new.debian.tar.xz" -C "$dest/newer"
while read -r name; do
    patch --quiet -p1 -d "$dest/source" < "$dest/source/debian/patches/$name"
done < <(grep -v '^#' "$dest/source/debian/patches/series" | awk 'NF {print $1}')

: > "$dest/fix.diff"
while read -r name; do
    [ -f "$dest/source/debian/patches/$name" ] || cat "$dest/newer/debian/patches/$name" >> "$dest/fix.diff"
done < <(grep -v '^#' "$dest/newer/debian/patches/series" | awk 'NF {print $1}')

# Debian ships one program under three names; redis-server is the one that serves.
dpkg-deb -x "$dest/redis-tools_${old}_amd64.deb" "$dest/tools"
cp "$dest/tools/usr/bin/redis-check-rdb" "$dest/shipped/redis-server"
touch "$dest/done"
