//go:build unix

package forward

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestSocketsThatOthersCouldUseAreRefused(t *testing.T) {
	dir := home(t)
	path := filepath.Join(dir, "forward", "a.sock")
	start(t, path, tokenFor)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	refused := func(path, why string) {
		t.Helper()
		_, err := client(dir, path).Ask(t.Context(), Request{Server: server, Wait: time.Second})
		if credential.KindOf(err) != credential.BadHome || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", path, err)
		}
	}
	refused(file, "it is not a socket")
	refused(link, "it is not a socket")
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := client(dir, path).Ask(t.Context(), Request{Server: server, Wait: time.Second}); err != nil {
		t.Errorf("in a folder that is closed: %v", err)
	}
	if err := os.Chmod(Folder(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	refused(path, "others can connect to it")
	t.Chdir(Folder(dir))
	refused("a.sock", "it is not an absolute path")
}

func TestListenTakesNoPlaceOfOthers(t *testing.T) {
	dir := home(t)
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	served := filepath.Join(Folder(dir), "a.sock")
	start(t, served, tokenFor)
	file := filepath.Join(Folder(dir), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, why := range map[string]string{
		filepath.Join(open, "a.sock"): "mode 0700", served: "served by another process", file: "something else is there",
		filepath.Join(Folder(dir), strings.Repeat("x", 200)): "cannot be made",
	} {
		if l, err := Listen(path); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, %v", path, l, err)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "x" {
		t.Errorf("%q, %v", data, err)
	}
}
