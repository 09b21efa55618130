#!/bin/sh
# run.sh snapshot      makes every archive and package of this commit in dist/, publishes nothing
# run.sh reproduce     makes them once more, from a clone in another folder, and compares their bytes
# run.sh ARGS...       goreleaser ARGS
#
# The tools are those of scripts/release/go.mod, built on first use.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

goreleaser() {
	program=$(cd "$here" && GOOS='' GOARCH='' CGO_ENABLED=0 go tool -n goreleaser)
	"$program" "$@"
}

# SOURCE_DATE_EPOCH is the time that packagers take for what has none.
SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# goreleaser reads nothing of a commit in a repository without a remote.
if ! git -C "$root" remote get-url origin >/dev/null 2>&1; then
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=remote.origin.url GIT_CONFIG_VALUE_0=https://github.com/mcp-credential/mcp-credential
fi

snapshot() { (cd "$1" && goreleaser release --snapshot --clean --skip=publish,sign --parallelism "$(nproc 2>/dev/null || echo 2)"); }

case ${1-} in
snapshot) snapshot "$root" ;;
reproduce)
	snapshot "$root"
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	git clone --quiet "$root" "$work/another folder"
	snapshot "$work/another folder"
	sort "$root/dist/checksums.txt" >"$work/here"
	sort "$work/another folder/dist/checksums.txt" >"$work/there"
	diff "$work/here" "$work/there"
	echo "$(wc -l <"$work/here") files, the same bytes in both builds"
	;;
*) cd "$root" && goreleaser "$@" ;;
esac
