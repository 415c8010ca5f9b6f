#!/bin/sh
# Copies programs and folders, with the shared libraries that they need, below COLLECTED under the paths that they have.
set -eu
umask 022
target="${COLLECTED:-/collected}"
for wanted in "$@"; do
    case "$wanted" in
        /*) found="$wanted" ;;
        *) found=$(command -v "$wanted") ;;
    esac
    mkdir -p "$target$(dirname "$found")"
    cp -RL "$found" "$target$(dirname "$found")/"
done
# PostgreSQL compiles long queries where it can; that needs a hundred megabytes of libraries and helps no dump.
find "$target" -name 'llvmjit*' -exec rm -rf {} +
find "$target" -type f \( -perm -u+x -o -name '*.so*' \) -exec ldd {} \; 2>/dev/null |
    sed -n 's/.*=> \(\/[^ ]*\) (.*/\1/p' | sort -u | while read -r library; do
    mkdir -p "$target$(dirname "$library")"
    cp -L "$library" "$target$library"
done
