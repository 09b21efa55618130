#!/bin/sh
# sbom.sh BINARY DOCUMENT   lists the modules that a program is made of (CycloneDX), the same for every build of it
set -eu
tools=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "$1")
case $2 in /*) document=$2 ;; *) document=$PWD/$2 ;; esac
cd "$tools"
GOOS='' GOARCH='' CGO_ENABLED=0 go tool cyclonedx-gomod bin -json -noserial -output "$document" "$binary"
# the time of making it and the digest of who made it are no part of the program
sed -i.bak '/"timestamp":/d' "$document"
rm -f "$document.bak"
