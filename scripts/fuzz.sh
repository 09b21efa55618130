#!/bin/sh
# fuzz.sh TIME - runs every fuzzer of the module for TIME (as in 5s), one on each processor at a time, and prints the last line of each.
# Of one that fails everything is printed; the input is a new seed below testdata/fuzz of its package.
set -eu

# one TIME PACKAGE NAME runs a fuzzer. Go up to 1.26 may end one that has found nothing with "context deadline exceeded" when its time is
# up and the machine is busy (golang.org/issue/75804): such a fuzzer has run for its time, and no input was written.
one() {
	if out=$(go test -run '^$' -fuzz "^$3\$" -fuzztime "$1" -fuzzminimizetime 1s -parallel 1 "$2" 2>&1); then
		note=
	elif echo "$out" | grep -A 1 "^--- FAIL: $3 " | grep -qx ' *context deadline exceeded' && ! echo "$out" | grep -q 'Failing input written'; then
		note=' (golang.org/issue/75804)'
	else
		echo "$out"
		echo "fuzz.sh: $2 $3 FAILED" >&2
		return 1
	fi
	echo "$2 $3: $(echo "$out" | grep '^fuzz: elapsed' | tail -n 1 | sed 's/^fuzz: //')$note"
}

if [ "$1" = --one ]; then
	one "$2" "$3" "$4"
	exit
fi
list=$(for package in $(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do
	grep -h '^func Fuzz' "$package"/*_test.go | sed "s|^func \\(Fuzz[A-Za-z0-9_]*\\).*|$package \\1|"
done)
[ -n "$list" ] || { echo 'fuzz.sh: no fuzzer found' >&2; exit 1; }
echo "$list" | xargs -n 2 -P "$(getconf _NPROCESSORS_ONLN)" sh "$0" --one "$1"
echo "$(echo "$list" | wc -l | tr -d ' ') fuzzers"
