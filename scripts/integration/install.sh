#!/bin/sh
# install.sh           installs what make integration and make model need and this machine lacks (Debian and its relatives; as root)
# install.sh night     the same for make model
# install.sh --check   installs nothing: names what is missing and ends with 1
#
# Node is needed for npm alone: the servers run on the Node 22 that npm fetches (scripts/oidc-provider/start.sh).
set -eu

missing=''
need() { # a program, and the package that has it
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need git git
need curl curl
need npm npm
need gpg gnupg
if [ "$(uname -s)" = Linux ]; then
	# Cargo has credential providers since 1.74, which the newer of Debian 12's two has
	if grep -q '^VERSION_CODENAME=bookworm' /etc/os-release 2>/dev/null; then need cargo cargo-web; else need cargo cargo; fi
	need pass pass
	need zsh zsh
	need ssh openssh-client
	[ -x /usr/sbin/sshd ] || missing="$missing openssh-server"
	need unshare util-linux
	need useradd passwd
	need fish fish
	need mandoc mandoc
	need dbus-run-session dbus
	need gnome-keyring-daemon gnome-keyring
	need gdbus libglib2.0-bin
	need secret-tool libsecret-tools
fi
if [ "${1-}" = night ]; then
	need spin spin
	need cc 'gcc libc6-dev'
fi

[ -n "$missing" ] || exit 0
if [ "${1-}" = --check ]; then
	echo "make integration needs these packages, which are not installed:$missing" >&2
	echo 'install them with: scripts/integration/install.sh (Debian, Ubuntu; as root)' >&2
	exit 1
fi
command -v apt-get >/dev/null 2>&1 || { echo "install these with the package manager of this system:$missing" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
apt-get -o Acquire::Retries=3 update
# shellcheck disable=SC2086 # the names are words
apt-get install --yes --no-install-recommends $missing
