#!/bin/sh
# extras.sh DIR   writes what packages hold beside the programs: manual pages and completions
set -eu
cd "$(dirname "$0")/../.."
dir=$1
rm -rf "$dir"
mkdir -p "$dir/completions"
core() { CGO_ENABLED=0 GOOS='' GOARCH='' go run -buildvcs=false ./cmd/mcp-credential-core "$@"; }
core man "$dir/man"
core completion bash >"$dir/completions/mcp-credential.bash"
core completion zsh >"$dir/completions/_mcp-credential"
core completion fish >"$dir/completions/mcp-credential.fish"
core completion powershell >"$dir/completions/mcp-credential.ps1"
# every file has the commit's time: packages copy it
at=$(TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd)
find "$dir" -exec touch -d "$at" {} +
