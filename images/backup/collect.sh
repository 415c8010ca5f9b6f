#!/bin/sh
# Copies programs and folders, with the shared libraries that they need, below COLLECTED under the paths that they have.
set -eu
umask 022
target="${COLLECTED:-/collected}"
# Folders by their own names: where /lib is a link to usr/lib, a folder of that name would take the link's place.
copy() {
    folder=$(cd "$(dirname "$1")" && pwd -P)
    mkdir -p "$target$folder"
    cp -RL "$1" "$target$folder/"
}
for wanted in "$@"; do
    case "$wanted" in
        /*) copy "$wanted" ;;
        *)
            found=$(command -v "$wanted")
            copy "$found"
            ;;
    esac
done
# PostgreSQL compiles long queries where it can; that needs a hundred megabytes of libraries and helps no dump.
find "$target" -name 'llvmjit*' -exec rm -rf {} +
find "$target" -type f \( -perm -u+x -o -name '*.so*' \) -exec ldd {} \; 2>/dev/null |
    sed -n 's/.*=> \(\/[^ ]*\) (.*/\1/p' | sort -u | while read -r library; do
    copy "$library"
done
