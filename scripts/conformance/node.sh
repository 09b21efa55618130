#!/bin/sh
# Runs a script of the packages in package.json on Node 22: "node.sh FILE ARGS...", FILE below node_modules. "node.sh
# install" only fetches the packages: run it once before several of these run at the same time. Where Node comes from, and
# why no package may run scripts while it is installed, says scripts/oidc-provider/start.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
modules=$here/node_modules
if [ "${1-}" = install ]; then
	if [ ! -e "$modules/.package-lock.json" ] || [ "$here/package-lock.json" -nt "$modules/.package-lock.json" ]; then
		cd "$here"
		npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	fi
	exit 0
fi
file=$1
shift
exec "$modules/.bin/node" "$modules/$file" "$@"
