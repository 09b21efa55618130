#!/bin/sh
# run.sh        has spin look at every order of events in refresh.pml; then puts each mistake in, which must be found
# run.sh full   the same for two rounds of refreshes too, which takes a minute and 1.5 GB
#
# It needs spin and a C compiler (Debian: spin, gcc, libc6-dev).
set -eu
cd "$(dirname "$0")"
model=$PWD/refresh.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

errors() { # of the model with these macros
	spin "$@" -a "$model" >/dev/null
	cc -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=1500 -w -o pan pan.c
	./pan -m100000 >out 2>&1 || true
	if grep -q 'Search not completed' out && ! grep -q '^pan:1:' out || ! grep -q 'errors: ' out; then
		grep -v '^Depth=' out >&2
		exit 1
	fi
	sed -n 's/.*errors: \([0-9]*\)$/\1/p' out
}

right() {
	[ "$(errors "$@")" = 0 ] || { grep -v '^Depth=' out >&2; echo "the model with $* has a mistake" >&2; exit 1; }
	echo "right: $*, $(sed -n 's/^ *\([0-9e+.]*\) states, stored.*/\1/p' out) states"
}

right -DROUNDS=1 -DKILLS=2
[ "${1-}" != full ] || right -DROUNDS=2 -DKILLS=1
for mistake in $(sed -n 's/^#ifn*def \([A-Z_]*\)$/\1/p' "$model" | grep -v '^ROUNDS$\|^KILLS$\|^FAILURES$' | sort -u); do
	[ "$(errors "-D$mistake")" != 0 ] || { echo "the mistake $mistake is not found" >&2; exit 1; }
	echo "found: $mistake, $(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' out)"
done
