#!/bin/sh
# run.sh - runs the tests with the build tag "integration", which start the real components they need.
set -eu
packages=$(grep -rl --include='*_test.go' '^//go:build .*integration' . | grep -v /node_modules/ | xargs -n 1 dirname | sort -u)
[ -n "$packages" ] || { echo 'run.sh: no integration test found' >&2; exit 1; }
# shellcheck disable=SC2086 # one argument each
exec go test -count 1 -timeout 20m -tags integration $packages
