package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// have is an error that names the programs which this machine lacks.
func have(programs ...string) error {
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s is not installed", name)
		}
	}
	return nil
}

func (w *windowBench) signIn(ctx context.Context, s keychainStore) (keychainStore, error) {
	_, _, err := w.run(ctx, s, w.b.program(), "login", w.b.world.url)
	return s, err
}

// file is the encrypted file.
func (w *windowBench) file(ctx context.Context) (keychainStore, error) {
	s, err := w.newStore("file", "MCPCRED_PASSPHRASE_FILE="+w.b.path("passphrase"))
	if err != nil {
		return s, err
	}
	return w.signIn(ctx, s)
}

// pass is a password store whose key has no passphrase.
func (w *windowBench) pass(ctx context.Context) (keychainStore, error) {
	if err := have("pass", "gpg"); err != nil {
		return keychainStore{}, fmt.Errorf("pass: %w", err)
	}
	s, err := w.newStore("pass")
	if err == nil {
		err = os.Mkdir(filepath.Join(s.home, ".gnupg"), 0o700)
	}
	w.ended = append(w.ended, func() { _, _, _ = w.run(context.WithoutCancel(ctx), s, "gpgconf", "--kill", "all") })
	const name = "bench@example.invalid"
	for _, args := range [][]string{
		{"gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key", name, "future-default", "default", "never"},
		{"pass", "init", name},
	} {
		if err == nil {
			_, _, err = w.run(ctx, s, args[0], args[1:]...)
		}
	}
	if err != nil {
		return s, err
	}
	return w.signIn(ctx, s)
}

// busConfig has no folder of services: nothing but our own daemon can answer on the bus.
const busConfig = `<busconfig>
  <type>session</type>
  <listen>unix:path=SOCKET</listen>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
`

// desktopPatience is how long a bus and its keyring may take to be there.
const desktopPatience = 20 * time.Second

// secretService is gnome-keyring on a bus of its own, unlocked.
func (w *windowBench) secretService(ctx context.Context) (keychainStore, error) {
	if err := have("dbus-daemon", "gnome-keyring-daemon", "gdbus"); err != nil {
		return keychainStore{}, fmt.Errorf("secret-service: %w", err)
	}
	s, err := w.newStore("secret-service")
	if err != nil {
		return s, err
	}
	socket, config := filepath.Join(s.home, "bus"), filepath.Join(s.home, "bus.conf")
	s.env = append(s.env, "DBUS_SESSION_BUS_ADDRESS=unix:path="+socket, "XDG_RUNTIME_DIR="+s.home)
	if err := os.WriteFile(config, []byte(strings.Replace(busConfig, "SOCKET", socket, 1)), 0o600); err != nil {
		return s, err
	}
	bus := exec.CommandContext(ctx, "dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile", "--print-address")
	if err := w.start(bus, s); err != nil {
		return s, err
	}
	daemon := exec.CommandContext(ctx, "gnome-keyring-daemon", "--unlock", "--components=secrets", "--foreground")
	daemon.Stdin = strings.NewReader("bench")
	if err := w.start(daemon, s); err != nil {
		return s, err
	}
	if _, _, err := w.run(ctx, s, "gdbus", "wait", "--session", "--timeout", fmt.Sprint(desktopPatience.Seconds()), "org.freedesktop.secrets"); err != nil {
		return s, err
	}
	return w.signIn(ctx, s)
}

// start starts a program that lives as long as the measurement; it has begun when it prints its first line.
func (w *windowBench) start(cmd *exec.Cmd, s keychainStore) error {
	cmd.Env = s.env
	_, err := begin(cmd)
	if cmd.Process != nil {
		w.ended = append(w.ended, func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	return err
}
