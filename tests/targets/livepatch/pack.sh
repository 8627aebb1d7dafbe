#!/usr/bin/env bash
# pack.sh FOLDER PATCHER OUT: adds busybox, init and the patcher with its libraries to FOLDER, and packs all of it as an initramfs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
folder=$1 patcher=$2 out=$(realpath -m "$3")

mkdir -p "$folder/bin"
cp /bin/busybox "$folder/bin/busybox"
install -m 755 "$here/init" "$folder/init"
install -m 755 "$patcher" "$folder/bin/hotpatch-patcher"
# The patcher looks for OpenSSL when it checks its first signature; ldd cannot know.
crypto=$(ldconfig -p | awk '/lib(ssl|crypto)\.so\.3 .*x86-64/ { print $NF }')
for library in $({ ldd "$patcher"; for file in $crypto; do ldd "$file"; done; } | grep -o '/[^ ]*' | sort -u) $crypto; do
    [ -e "$folder$library" ] || install -D -m 755 "$(readlink -f "$library")" "$folder$library"
done
(cd "$folder" && find . -mindepth 1 | sort | busybox cpio -o -H newc 2> /dev/null) | gzip -1 > "$out"
