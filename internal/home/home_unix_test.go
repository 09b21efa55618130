//go:build unix

package home

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"

	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

func TestCheckWantsExactly0700(t *testing.T) {
	for mode, ok := range map[os.FileMode]bool{
		0o700: true, os.ModeSetgid | 0o700: true,
		0o755: false, 0o750: false, 0o701: false, 0o770: false, 0o500: false, 0o000: false, os.ModeSticky | 0o777: false,
	} {
		dir := find(t, filepath.Join(t.TempDir(), "home"))
		if err := os.Mkdir(dir.Path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir.Path, mode); err != nil {
			t.Fatal(err)
		}
		err := dir.Check()
		if (err == nil) != ok {
			t.Errorf("mode %v: %v", mode, err)
		}
		if err != nil && !strings.Contains(err.Error(), "chmod 700 '"+dir.Path+"'") {
			t.Errorf("mode %v: %v does not say what helps", mode, err)
		}
		if again := dir.Create(); (again == nil) != ok {
			t.Errorf("mode %v: Create: %v", mode, again)
		}
	}
}

func TestCreateClosesTheParentsToo(t *testing.T) {
	dir := find(t, filepath.Join(t.TempDir(), "a", "b"))
	if err := dir.Create(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Dir(dir.Path))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v, error %v", info.Mode(), err)
	}
}

// foreignDir returns a directory of another user: one that is given away where that is allowed, else the root's.
func foreignDir(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		return "/"
	}
	path := filepath.Join(t.TempDir(), "foreign")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckRefusesAnotherUsersDirectory(t *testing.T) {
	dir := find(t, foreignDir(t))
	if err := dir.Check(); credential.KindOf(err) != credential.BadHome || !strings.Contains(err.Error(), "another user") {
		t.Fatalf("%v", err)
	}
}

func TestSymlinks(t *testing.T) {
	root := t.TempDir()
	target, link := filepath.Join(root, "target"), filepath.Join(root, "link")
	if err := os.Mkdir(target, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	direct, linked := find(t, target), find(t, link)
	if direct.ID != linked.ID {
		t.Error("a symlink to the home gives another ID")
	}
	if below := find(t, filepath.Join(link, "x")); below.ID != find(t, filepath.Join(target, "x")).ID {
		t.Error("a missing home below a symlink gives another ID")
	}
	if err := linked.Check(); err != nil {
		t.Error(err)
	}
}

func TestSymlinksThatLeadAstray(t *testing.T) {
	root := t.TempDir()
	for name, target := range map[string]string{"foreign": foreignDir(t), "nowhere": filepath.Join(root, "missing"), "loop": filepath.Join(root, "loop")} {
		link := filepath.Join(root, name)
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		if err := find(t, link).Check(); credential.KindOf(err) != credential.BadHome {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSymlinkOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		testsupport.Missing(t, "root: give a symlink away")
	}
	root := t.TempDir()
	link := filepath.Join(root, "link")
	if err := os.Mkdir(filepath.Join(root, "target"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "target"), link); err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(link, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := find(t, link).Check(); credential.KindOf(err) != credential.BadHome {
		t.Fatalf("%v", err)
	}
}
