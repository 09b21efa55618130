package keychain

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

func fileOptions(t *testing.T) Options {
	t.Helper()
	dir := t.TempDir()
	return Options{Store: "file", Home: homeA, Dir: filepath.Join(dir, "home"), PassphraseFile: phrase(t, "correct horse\n")}
}

func phrase(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFile(t *testing.T) {
	o := fileOptions(t)
	contract(t, func(t *testing.T, home string) Keychain {
		o.Home = home
		return mustOpen(t, o)
	}, true)
}

func TestFileWantsAHomeDirectory(t *testing.T) {
	_, err := Open(t.Context(), Options{Store: "file", Home: homeA, Dir: "relative"})
	wantKind(t, err, credential.Internal)
}

func TestFileSurvivesKills(t *testing.T) {
	survivesKills(t, fileOptions(t), 25, killProcess)
}

func TestFileFolderIsPrivate(t *testing.T) {
	o := fileOptions(t)
	set(t, mustOpen(t, o), "id", "value")
	if runtime.GOOS == "windows" {
		return // access lists are inherited
	}
	folder := filepath.Join(o.Dir, "keychain")
	info, err := os.Stat(folder)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("folder: %v, %v", info, err)
	}
	for name := range snapshot(t, folder) {
		if info, _ := os.Stat(filepath.Join(folder, name)); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = mustOpen(t, o).Get(t.Context(), "id")
	wantKind(t, err, credential.KeychainBroken)
}

// snapshot returns the files of a folder with their contents, at least one.
func snapshot(t *testing.T, folder string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) == 0 {
		t.Fatalf("%s: %d files, %v", folder, len(entries), err)
	}
	out := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}

func TestFileKeepsSecretsOutOfItsFiles(t *testing.T) {
	o := fileOptions(t)
	set(t, mustOpen(t, o), "id", "hunter2-hunter2")
	for name, text := range snapshot(t, filepath.Join(o.Dir, "keychain")) {
		if strings.Contains(text, "hunter2") || strings.HasPrefix(name, fileTemp) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestAWrongPassphraseChangesNothing(t *testing.T) {
	o := fileOptions(t)
	set(t, mustOpen(t, o), "id", "value")
	folder := filepath.Join(o.Dir, "keychain")
	before := snapshot(t, folder)

	wrong := o
	wrong.PassphraseFile = phrase(t, "incorrect horse")
	k := mustOpen(t, wrong)
	_, err := k.Get(t.Context(), "id")
	wantKind(t, err, credential.KeychainBroken)
	_, err = k.Get(t.Context(), "absent")
	wantKind(t, err, credential.KeychainBroken)
	wantKind(t, k.Set(t.Context(), "id", "", []byte("new")), credential.KeychainBroken)
	wantKind(t, k.Set(t.Context(), "second", "", []byte("new")), credential.KeychainBroken)
	if strings.Contains(err.Error(), "horse") {
		t.Errorf("%q tells the passphrase", err)
	}

	after := snapshot(t, folder)
	if len(after) != len(before) {
		t.Errorf("files before %d, after %d", len(before), len(after))
	}
	for name, text := range before {
		if after[name] != text {
			t.Errorf("%s has changed", name)
		}
	}
	wantValue(t, mustOpen(t, o), "id", []byte("value"))
}

func TestDeletingNeedsNoPassphrase(t *testing.T) {
	o := fileOptions(t)
	set(t, mustOpen(t, o), "id", "value")
	locked := o
	locked.PassphraseFile = ""
	if err := mustOpen(t, locked).Delete(t.Context(), "id"); err != nil {
		t.Fatal(err)
	}
	wantAbsent(t, mustOpen(t, o), "id")
}

func TestALostVerifierLetsNoSecondPassphraseIn(t *testing.T) {
	o := fileOptions(t)
	set(t, mustOpen(t, o), "id", "value")
	if err := os.Remove(filepath.Join(o.Dir, "keychain", fileVerifier)); err != nil {
		t.Fatal(err)
	}
	wantKind(t, mustOpen(t, o).Set(t.Context(), "other", "", nil), credential.KeychainBroken)
}

func TestADamagedItemIsSaidToBe(t *testing.T) {
	o := fileOptions(t)
	k := mustOpen(t, o)
	set(t, k, "id", "one") // into both slots
	set(t, k, "id", "two") // into the older one
	for _, n := range []string{"0", "1"} {
		path := filepath.Join(o.Dir, "keychain", homeA+".id."+n)
		if err := os.Truncate(path, 40); err != nil {
			t.Fatal(err)
		}
		if n == "0" {
			wantValue(t, k, "id", []byte("one"))
		}
	}
	_, err := k.Get(t.Context(), "id")
	wantKind(t, err, credential.KeychainBroken)
	set(t, k, "id", "three")
	wantValue(t, k, "id", []byte("three"))
}

// The passphrase is the same, however an editor on Windows has written the file.
func TestPassphraseFileOfWindows(t *testing.T) {
	o := fileOptions(t)
	set(t, mustOpen(t, o), "id", "value")
	o.PassphraseFile = phrase(t, "\xef\xbb\xbfcorrect horse\r\n")
	wantValue(t, mustOpen(t, o), "id", []byte("value"))
}

func TestPassphraseFiles(t *testing.T) {
	exposed := phrase(t, "x")
	if err := os.Chmod(exposed, 0o644); err != nil {
		t.Fatal(err)
	}
	bad := map[string]string{
		"empty": phrase(t, ""), "a line end": phrase(t, "\r\n"), "absent": filepath.Join(t.TempDir(), "none"),
		"a folder": t.TempDir(), "huge": phrase(t, strings.Repeat("x", maxPhrase+1)),
	}
	if runtime.GOOS != "windows" {
		bad["world-readable"] = exposed
	}
	for name, path := range bad {
		t.Run(name, func(t *testing.T) {
			o := fileOptions(t)
			o.PassphraseFile = path
			wantKind(t, mustOpen(t, o).Set(t.Context(), "id", "", []byte("v")), credential.KeychainBroken)
			if files, _ := os.ReadDir(filepath.Join(o.Dir, "keychain")); len(files) > 0 {
				t.Errorf("%d files were written", len(files))
			}
		})
	}
	for _, text := range []string{"correct horse", "correct horse\n", "correct horse\r\n"} {
		if p, err := passphraseFrom(phrase(t, text)); err != nil || p.Reveal() != "correct horse" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAskingForThePassphrase(t *testing.T) {
	o := fileOptions(t)
	o.PassphraseFile = ""
	wantKind(t, mustOpen(t, o).Set(t.Context(), "id", "", nil), credential.NoPassphrase)

	asked := 0
	o.AskPassphrase = func(context.Context) (credential.Secret, error) {
		asked++
		return credential.NewSecret("typed"), nil
	}
	k := mustOpen(t, o)
	set(t, k, "id", "value")
	wantValue(t, k, "id", []byte("value"))
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	o.AskPassphrase = func(context.Context) (credential.Secret, error) { return credential.Secret{}, errors.New("hung up") }
	_, err := mustOpen(t, o).Get(t.Context(), "id")
	wantKind(t, err, credential.NoPassphrase)
}
