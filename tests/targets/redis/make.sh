#!/usr/bin/env bash
# Run in the source tree: builds redis-server with the flags of Debian's own build (debian/rules of 7.0.15-1~deb12u7). On Debian 12 the
# result has the shipped binary's build-id.
set -euo pipefail
export DEB_BUILD_MAINT_OPTIONS=hardening=+all DEB_CFLAGS_MAINT_APPEND=-I/usr/include/liblzf BUILD_TLS=yes
export DEB_LDFLAGS_MAINT_APPEND='-Wl,-no-as-needed -ldl -latomic -llzf'
eval "$(dpkg-buildflags --export=sh)"
# The build's name in the binary is the time of the package's changelog entry.
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog --show-field Timestamp)
export SOURCE_DATE_EPOCH
make -j"$(( $(nproc) + 1 ))" -C src redis-server V=1 USE_SYSTEM_JEMALLOC=yes USE_SYSTEMD=yes USE_JEMALLOC=yes
