#!/bin/sh
# install.sh                  installs the newest release of mcp-credential for this user, without root
# install.sh --version 1.2.3  installs that one
# install.sh --uninstall      removes what it has installed; sign-ins stay (mcp-credential logout --all ends those)
#
# Programs go to ~/.local/bin, manual pages and completions to ~/.local/share; --prefix DIR names another place than ~/.local.
# MCP_CREDENTIAL_RELEASES names another place for the releases than the project's own, laid out as that is.
set -eu

say() { printf 'install.sh: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}

releases=${MCP_CREDENTIAL_RELEASES:-https://github.com/mcp-credential/mcp-credential/releases}
prefix=${HOME:-}/.local
version=''
uninstall=''
while [ $# -gt 0 ]; do
	case $1 in
	--version | --prefix)
		[ $# -gt 1 ] || fail "$1 needs a value"
		case $1 in --version) version=${2#v} ;; *) prefix=$2 ;; esac
		shift
		;;
	--version=*) version=${1#*=} && version=${version#v} ;;
	--prefix=*) prefix=${1#*=} ;;
	--uninstall) uninstall=yes ;;
	-h | --help)
		sed -n '2,7s/^# \{0,1\}//p' "$0"
		exit 0
		;;
	*) fail "unknown argument $1; see --help" ;;
	esac
	shift
done
case $prefix in /*) ;; *) fail "the prefix has to be an absolute path, not $prefix" ;; esac
case $version in *[!0-9A-Za-z.+~-]*) fail "$version is no version" ;; esac
case $releases in
https://*) protocols='=https' ;;
http://127.0.0.1:* | http://localhost:*) protocols='=http' ;;
*) fail "releases come by https alone, not from $releases" ;;
esac

bin=$prefix/bin
share=$prefix/share
completions='bash-completion/completions/mcp-credential zsh/site-functions/_mcp-credential fish/vendor_completions.d/mcp-credential.fish'

if [ -n "$uninstall" ]; then
	rm -f "$bin/mcp-credential" "$bin/mcp-credential-core" "$bin/git-credential-mcp" "$bin/docker-credential-mcp" "$bin/cargo-credential-mcp"
	rm -f "$share/man/man1/mcp-credential.1" "$share"/man/man1/mcp-credential-*.1
	for file in $completions; do rm -f "$share/$file"; done
	say "removed from $prefix; sign-ins and settings stay in ~/.mcp-credential"
	exit 0
fi

case $(uname -s) in
Linux) os=linux ;;
Darwin) os=darwin ;;
*) fail "there is no release for $(uname -s); on Windows use install.ps1" ;;
esac
case $(uname -m) in
x86_64 | amd64) arch=amd64 ;;
aarch64 | arm64) arch=arm64 ;;
*) fail "there is no release for $(uname -m)" ;;
esac

# fetch URL FILE
if command -v curl >/dev/null 2>&1; then
	fetch() { curl --proto "$protocols" --fail --silent --show-error --location --retry 3 --connect-timeout 15 --max-time 300 --output "$2" "$1"; }
elif command -v wget >/dev/null 2>&1; then
	fetch() { wget --quiet --tries=3 --timeout=60 --output-document="$2" "$1"; }
else
	fail 'curl or wget is needed'
fi
if command -v sha256sum >/dev/null 2>&1; then
	digest() { sha256sum "$1" | cut -d ' ' -f 1; }
elif command -v shasum >/dev/null 2>&1; then
	digest() { shasum -a 256 "$1" | cut -d ' ' -f 1; }
else
	fail 'sha256sum or shasum is needed'
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

place=$releases/latest/download
[ -z "$version" ] || place=$releases/download/v$version
fetch "$place/checksums.txt" "$work/checksums.txt" || fail "there is no release at $place"
line=$(grep "_${os}_${arch}\\.tar\\.gz\$" "$work/checksums.txt" | head -n 1)
[ -n "$line" ] || fail "the release at $place has nothing for $os on $arch"
want=${line%% *}
archive=${line##* }
archive=${archive#\*}
case $archive in */* | '') fail "the release at $place names a strange file" ;; esac
fetch "$place/$archive" "$work/$archive" || fail "$place/$archive cannot be fetched"
got=$(digest "$work/$archive")
[ "$got" = "$want" ] || fail "$archive is not what the release lists: its SHA-256 is $got, not $want; nothing was installed"

mkdir "$work/out"
tar -xzf "$work/$archive" -C "$work/out"
set -- "$work"/out/*/mcp-credential
[ -f "$1" ] || fail "$archive holds no mcp-credential"
from=${1%/*}

# put FILE MODE TO   replaces a file at once: one that runs goes on with the old one
put() {
	mkdir -p "${3%/*}"
	cp "$1" "$3.new"
	chmod "$2" "$3.new"
	mv -f "$3.new" "$3"
}
put "$from/mcp-credential-core" 755 "$bin/mcp-credential-core"
put "$from/mcp-credential" 755 "$bin/mcp-credential"
for caller in git docker cargo; do ln -sf mcp-credential "$bin/$caller-credential-mcp"; done
for page in "$from"/man/*.1; do put "$page" 644 "$share/man/man1/${page##*/}"; done
put "$from/completions/mcp-credential.bash" 644 "$share/bash-completion/completions/mcp-credential"
put "$from/completions/_mcp-credential" 644 "$share/zsh/site-functions/_mcp-credential"
put "$from/completions/mcp-credential.fish" 644 "$share/fish/vendor_completions.d/mcp-credential.fish"

say "installed $("$bin/mcp-credential" --version) in $bin"
case :$PATH: in
*:"$bin":*) ;;
*) say "add it to PATH: export PATH=\"$bin:\$PATH\"" ;;
esac
say 'next: mcp-credential setup, then mcp-credential login URL'
