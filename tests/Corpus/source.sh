# shellcheck shell=bash
# From a Debian source package to the vulnerable state: fetched, unpacked, the fix left out, built as the package builds. Sourced by run.sh.

# fetch URL SHA256 INTO: a file of the archive. A version that has left it is out of reach, which is no failure of the product.
fetch() {
    [ -f "$3" ] && echo "$2  $3" | sha256sum --check --quiet - 2> /dev/null && return
    curl --fail --silent --show-error --retry 2 --max-time 300 --output "$3" "$1" || die "the archive is out of reach: $1"
    echo "$2  $3" | sha256sum --check --quiet - || die "$3 is not what it should be"
}

# The .dsc is pinned by fix.sh; it names and pins the rest.
fetch_source() {
    local description=$DOWNLOADS/${dsc##*/} sum name
    mkdir -p "$DOWNLOADS"
    fetch "$dsc" "$dsc_sha256" "$description"
    while read -r sum _ name; do
        [[ $name == *.asc ]] || fetch "${dsc%/*}/$name" "$sum" "$DOWNLOADS/$name"
    done < <(sed -n '/^Checksums-Sha256:/,/^[^ ]/p' "$description" | awk 'NF == 3')
}

# SOURCE: the package with its patches as they were before the fix: the series up to `before`, which is the first patch of the fix unless
# fix.sh says otherwise.
prepare_source() {
    local name first=${before:-${fix%% *}}
    fetch_source
    [ ! -f "$SOURCE.done" ] || return 0
    rm -rf "$SOURCE"
    dpkg-source --no-check --skip-patches -x "$DOWNLOADS/${dsc##*/}" "$SOURCE"
    grep -qx "$first" <(series) || die "$first is not in the series"
    while read -r name; do
        [ "$name" != "$first" ] || break
        patch --quiet -p1 --batch --no-backup-if-mismatch -d "$SOURCE" < "$SOURCE/debian/patches/$name"
    done < <(series)
    touch "$SOURCE.done"
}

series() { grep -v '^#' "$SOURCE/debian/patches/series" | awk 'NF { print $1 }'; }

# SHIPPED: the vulnerable program or library, built like every build of the patch but in a folder of its own, stripped as packages are.
build_shipped() {
    local built=$WORK/shipped-tree
    if [ ! -f "$WORK/shipped.done" ]; then
        rm -rf "$built"
        cp -a "$SOURCE" "$built"
        (cd "$built" && bash -e -o pipefail -c "$build")
        rm -rf "$WORK/shipped"
        mkdir -p "$WORK/shipped"
        touch "$WORK/shipped.done"
    fi
    if [ ! -f "$SHIPPED" ]; then strip -o "$SHIPPED" "$built/$program"; fi
}

# For packages that are long to build: the vulnerable build serves as the original, and only the objects that the diff concerns are made
# again, with a section per function, before and after (the builder's trees mode). The files of the diff are touched; make knows the rest.
build_trees() {
    local tree=$WORK/sections-tree name
    rm -rf "$tree"
    mkdir -p "$WORK/compilers"
    for name in cc gcc c++ g++; do
        printf '#!/bin/sh\nexec /usr/bin/%s "$@" -ffunction-sections -fdata-sections\n' "$name" > "$WORK/compilers/$name"
        chmod +x "$WORK/compilers/$name"
    done
    cp -a "$WORK/shipped-tree" "$tree"
    touch "$WORK/began"
    while read -r name; do [ ! -f "$tree/$name" ] || touch "$tree/$name"; done < <(sed -n 's,^+++ [^/]*/\([^[:space:]]*\).*,\1,p' "${DIFFS[@]}")
    build_sections "$WORK/original-objects-$FIX"
    for name in "${DIFFS[@]}"; do patch -p1 --forward --batch -d "$tree" < "$name"; done
    build_sections "$WORK/patched-objects-$FIX"
}

build_sections() {
    (cd "$WORK/sections-tree" && CORPUS_SECTIONS=yes PATH=$WORK/compilers:$PATH bash -e -o pipefail -c "$build")
    rm -rf "$1"
    mkdir -p "$1"
    (cd "$WORK/sections-tree" && find . -name '*.o' -newer "$WORK/began" -exec cp --parents -t "$1" {} +)
}

# LOADER: the load program of a library, linked against the vulnerable build; or the client of a daemon.
build_loader() {
    local folder flags=(-O2 -pthread -D_GNU_SOURCE -I "$CORPUS") compiler=gcc load=$FOLDER/load.c
    LOADER=$WORK/load-$FIX
    if [ "$kind" != library ]; then
        gcc "${flags[@]}" -o "$LOADER" "$CORPUS/harness.c" "$CORPUS/tcp.c"
        return
    fi
    # The library is found by its soname, next to nothing else.
    [ "${SHIPPED##*/}" = "$soname" ] || ln -sf "${SHIPPED##*/}" "$WORK/shipped/$soname"
    for folder in $includes; do flags+=(-I "$WORK/shipped-tree/$folder"); done
    gcc "${flags[@]}" -c -o "$LOADER.o" "$CORPUS/harness.c"
    if [ -f "$FOLDER/load.cc" ]; then compiler=g++ load=$FOLDER/load.cc; fi
    # shellcheck disable=SC2086
    "$compiler" "${flags[@]}" -o "$LOADER" "$LOADER.o" "$load" "$WORK/shipped/$soname" $libraries -Wl,-rpath,"$WORK/shipped"
}
