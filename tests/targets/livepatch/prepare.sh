#!/usr/bin/env bash
# prepare.sh DEST: the distribution's kernel of the installed headers, and the test modules built against them. Nothing is installed.
#   DEST/vmlinuz      the kernel image as it is shipped
#   DEST/vmlinux      the same, unpacked: a file that states the kernel's build-id
#   DEST/modules      shop.ko and the livepatches
# Exit code 3 when the headers are not installed or the archive is out of reach.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
dest=$(mkdir -p "$1" && cd "$1" && pwd -P)

kernel=$(cd /usr/src && compgen -G 'linux-headers-*-amd64' | sed 's/^linux-headers-//' | sort -V | tail -n 1) || true
[ -n "$kernel" ] || { echo "no kernel headers are installed (infra/local/packages.sh qemu)" >&2; exit 3; }
version=$(dpkg-query -W -f '${Version}' "linux-headers-$kernel")
[ "$(cat "$dest/done" 2> /dev/null)" = "$kernel $version $(cat "$here"/*.c "$here/Makefile" | cksum)" ] && exit 0

# The image must be of the headers' version, not only of their name: a distribution updates one name several times.
if [ "$(cat "$dest/kernel" 2> /dev/null)" != "$kernel $version" ]; then
    rm -rf "$dest/image" && mkdir -p "$dest/image"
    (cd "$dest/image" && apt-get download -qq "linux-image-$kernel-unsigned=$version" > "$dest/download.log" 2>&1) \
        || { echo "linux-image-$kernel-unsigned $version is not to be had: $(tail -n 1 "$dest/download.log")" >&2; exit 3; }
    dpkg-deb --fsys-tarfile "$dest"/image/*.deb | tar -x -C "$dest/image" "./boot/vmlinuz-$kernel"
    mv "$dest/image/boot/vmlinuz-$kernel" "$dest/vmlinuz"
    rm -r "$dest/image"
    # The image is a small loader, the compressed kernel, and a trailer that xz complains about once it has unpacked everything.
    offset=$(LC_ALL=C grep -obUaP '\xfd7zXZ\x00' "$dest/vmlinuz" | awk -F: 'NR == 1 { print $1 }')
    tail -c "+$((offset + 1))" "$dest/vmlinuz" | xz -dc > "$dest/vmlinux" 2> /dev/null || true
    readelf -n "$dest/vmlinux" 2> /dev/null | grep -q 'Build ID' || { echo "no kernel was found in vmlinuz-$kernel" >&2; exit 1; }
    echo "$kernel $version" > "$dest/kernel"
fi

rm -rf "$dest/modules" && mkdir -p "$dest/modules"
cp "$here"/*.c "$here/Makefile" "$dest/modules/"
make -C "$dest/modules" KERNEL="$kernel" > "$dest/modules.log" 2>&1 || { tail -n 20 "$dest/modules.log" >&2; exit 1; }
strip --strip-debug "$dest"/modules/*.ko
echo "$kernel $version $(cat "$here"/*.c "$here/Makefile" | cksum)" > "$dest/done"
