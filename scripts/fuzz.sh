#!/bin/sh
# fuzz.sh TIME - runs every fuzzer of the module for TIME (as in 5s), one after the other.
set -eu
time=$1
count=0
for package in $(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do
	for name in $(grep -h '^func Fuzz' "$package"/*_test.go | sed 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/'); do
		echo "$package $name"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$package"
		count=$((count + 1))
	done
done
[ "$count" -gt 0 ] || { echo 'fuzz.sh: no fuzzer found' >&2; exit 1; }
echo "$count fuzzers"
