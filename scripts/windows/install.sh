#!/bin/sh
# install.sh   installs wine and a compiler for Windows where they are missing (Debian and its relatives; as root)
set -eu
missing=''
command -v wine >/dev/null 2>&1 || missing='wine wine64'
command -v x86_64-w64-mingw32-gcc >/dev/null 2>&1 || missing="$missing gcc-mingw-w64-x86-64-win32"
[ -n "$missing" ] || exit 0
command -v apt-get >/dev/null 2>&1 || { echo "install these with the package manager of this system: $missing" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
apt-get -o Acquire::Retries=3 update
# shellcheck disable=SC2086 # the names are words
apt-get install --yes --no-install-recommends $missing
