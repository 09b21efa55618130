#!/bin/sh
# install.sh fetches the real MCP hosts of make hosts, and the Node that some of them run on. No package runs a script of its
# own while it is installed: their programs are whole as they are.
set -eu
cd "$(dirname "$0")"
[ -e node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ] && exit 0
exec npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
