package home

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

func env(pairs ...string) func(string) string {
	values := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return values[name] }
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	flag, variable, user := filepath.Join(root, "flag"), filepath.Join(root, "variable"), filepath.Join(root, "user")
	for _, c := range []struct {
		name, flag string
		env        func(string) string
		want       string
		kind       credential.Kind
	}{
		{name: "flag first", flag: flag, env: env(Variable, variable, userVariable, user), want: flag},
		{name: "then the variable", env: env(Variable, variable, userVariable, user), want: variable},
		{name: "then the user's home", env: env(userVariable, user), want: filepath.Join(user, ".mcp-credential")},
		{name: "cleaned", flag: flag + "/x/../", env: env(), want: flag},
		{name: "XDG does not count", env: env("XDG_CONFIG_HOME", variable, "XDG_DATA_HOME", variable, userVariable, user), want: filepath.Join(user, ".mcp-credential")},
		{name: "relative flag", flag: "x", env: env(), kind: credential.Usage},
		{name: "relative variable", env: env(Variable, "x", userVariable, user), kind: credential.BadHome},
		{name: "relative user home", env: env(userVariable, "x"), kind: credential.BadHome},
		{name: "nothing set", env: env(), kind: credential.BadHome},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, err := Find(c.flag, c.env)
			if c.want == "" {
				if err == nil || credential.KindOf(err) != c.kind {
					t.Fatalf("got %q, error %v; want an error of kind %v", dir.Path, err, c.kind)
				}
				return
			}
			if err != nil || dir.Path != c.want || len(dir.ID) != 16 {
				t.Fatalf("got %+v, error %v; want %s", dir, err, c.want)
			}
		})
	}
}

func TestNothingSetNamesTheVariable(t *testing.T) {
	if _, err := Find("", env()); err == nil || !strings.Contains(err.Error(), Variable) {
		t.Fatalf("%v does not name %s", err, Variable)
	}
}

func find(t *testing.T, path string) Dir {
	t.Helper()
	dir, err := Find(path, env())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCreateAndCheck(t *testing.T) {
	dir := find(t, filepath.Join(t.TempDir(), "a", "b"))
	if err := dir.Check(); !errors.Is(err, fs.ErrNotExist) || credential.KindOf(err) != credential.BadHome {
		t.Fatalf("a missing home: %v", err)
	}
	for range 2 {
		if err := dir.Create(); err != nil {
			t.Fatal(err)
		}
	}
	if err := dir.Check(); err != nil {
		t.Fatal(err)
	}
	if got := dir.File("x", "y"); got != filepath.Join(dir.Path, "x", "y") {
		t.Fatal(got)
	}
}

func TestIDStaysWhenTheHomeIsCreated(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "a", "b")
	before := find(t, path)
	if err := before.Create(); err != nil {
		t.Fatal(err)
	}
	if after := find(t, path); after != before {
		t.Fatalf("%v became %v", before, after)
	}
	if other := find(t, filepath.Join(root, "a", "c")); other.ID == before.ID {
		t.Fatal("two homes share an ID")
	}
}

func TestCheckRefusesAFile(t *testing.T) {
	dir := find(t, filepath.Join(t.TempDir(), "file"))
	if err := os.WriteFile(dir.Path, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"Check": dir.Check(), "Create": dir.Create()} {
		if credential.KindOf(err) != credential.BadHome || !strings.Contains(err.Error(), dir.Path) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestErrorsArePrintable(t *testing.T) {
	_, err := Find("x\x1b[2J\ny", env())
	if err == nil || strings.ContainsAny(err.Error(), "\x1b\n") {
		t.Fatalf("%q", err)
	}
}
