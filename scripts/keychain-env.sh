#!/bin/sh
# keychain-env.sh KIND COMMAND... - runs COMMAND beside a real keychain of its own, and removes both afterwards.
#
#   secret-service   a session bus with gnome-keyring, its login keyring unlocked
#   no-collection    a session bus with gnome-keyring that has no keyring yet
#   bus              a session bus on which no Secret Service can be started
#   pass             a gpg key without a passphrase, and a password store that uses it
#   pass-locked      the same with a passphrase that nobody gives
#
# COMMAND gets a new HOME; nothing of the caller's keychains is read or changed. Needs (Debian): gnome-keyring dbus
# libglib2.0-bin, or pass gnupg.
set -eu

need() {
	for program in "$@"; do
		command -v "$program" >/dev/null || { echo "keychain-env.sh: $program is not installed" >&2; exit 127; }
	done
}

# Second half, on the new bus.
if [ "${1-}" = inside ]; then
	shift
	printf secret | gnome-keyring-daemon --unlock --components=secrets --foreground >/dev/null 2>&1 &
	daemon=$!
	trap 'kill "$daemon" 2>/dev/null || :' EXIT
	gdbus wait --session --timeout 20 org.freedesktop.secrets
	"$@"
	exit
fi

kind=$1
shift
home=$(mktemp -d "${TMPDIR:-/tmp}/kc.XXXXXX")
cleanup() {
	command -v gpgconf >/dev/null && GNUPGHOME="$home/gnupg" gpgconf --kill all 2>/dev/null || :
	rm -rf "$home"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -m 700 "$home/run" "$home/gnupg"
unset DBUS_SESSION_BUS_ADDRESS XDG_DATA_HOME XDG_CONFIG_HOME XDG_CACHE_HOME PASSWORD_STORE_DIR
# The GnuPG home is not the default one, whose agent gpg would share with other homes where it finds /run/user/UID.
export HOME="$home" XDG_RUNTIME_DIR="$home/run" GNUPGHOME="$home/gnupg"

new_key() { # the passphrase
	gpg --batch --quiet --pinentry-mode loopback --passphrase "$1" --quick-generate-key keychain-env@example.invalid future-default default never
	pass init keychain-env@example.invalid >/dev/null
}

case $kind in
secret-service)
	need dbus-run-session gnome-keyring-daemon gdbus
	dbus-run-session -- "$0" inside "$@"
	;;
no-collection)
	need dbus-run-session gnome-keyring-daemon
	dbus-run-session -- "$@"
	;;
bus)
	need dbus-daemon dbus-run-session
	cat >"$home/bus.conf" <<-CONF
	<busconfig>
	  <type>session</type>
	  <listen>unix:dir=$home/run</listen>
	  <policy context="default">
	    <allow send_destination="*" eavesdrop="true"/>
	    <allow eavesdrop="true"/>
	    <allow own="*"/>
	  </policy>
	</busconfig>
	CONF
	dbus-run-session --config-file="$home/bus.conf" -- "$@"
	;;
pass)
	need pass gpg
	new_key ''
	"$@"
	;;
pass-locked)
	need pass gpg
	new_key secret
	gpgconf --kill gpg-agent
	"$@"
	;;
*)
	echo "keychain-env.sh: unknown kind $kind" >&2
	exit 2
	;;
esac
