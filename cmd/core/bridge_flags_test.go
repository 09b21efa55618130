package core

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// relative returns path as seen from the directory of this test, which the bridge has too and the processes that it
// starts do not.
func relative(t *testing.T, path string) string {
	t.Helper()
	here, err := os.Getwd()
	if err == nil {
		path, err = filepath.Rel(here, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A relative --ca-file serves the refreshes too, which happen in processes that run elsewhere.
func bridgePaths(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{TLS: true, AccessTTL: 2 * time.Second})
	home := t.TempDir()
	ca := filepath.Join(home, "ca.pem")
	if err := os.WriteFile(ca, w.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	succeed(t, bin, home, []string{"BROWSER=" + filepath.Join(bin, "fakebrowser"+suffix()), "SSL_CERT_FILE=" + ca}, "login", w.ServerURL())
	b := startBridge(t, bin, home, nil, w.ServerURL(), "--ca-file", relative(t, ca))
	b.hello("{}")
	b.ready()
	for w.Stats().Token["refresh_token"] < 2 {
		if subject, failure := b.whoami(); subject == "" {
			t.Fatal(failure)
		}
	}
}

// So does a relative --client-secret-file the sign-in.
func bridgeSecret(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{})
	home := t.TempDir()
	secret := filepath.Join(home, "secret")
	if err := os.WriteFile(secret, []byte(fakeworld.ConfidentialSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := startBridge(t, bin, home, []string{"BROWSER=" + filepath.Join(bin, "fakebrowser"+suffix())}, w.ServerURL(),
		"--client-id", fakeworld.ConfidentialClient, "--client-secret-file", relative(t, secret))
	b.hello("{}")
	b.ready()
}

func TestAbsolute(t *testing.T) {
	full, empty, name := filepath.Join(t.TempDir(), "a"), "", "b"
	before := full
	if err := absolute(&full, &empty, &name); err != nil || full != before || empty != "" || !filepath.IsAbs(name) || filepath.Base(name) != "b" {
		t.Errorf("%v %q %q %q", err, full, empty, name)
	}
}
