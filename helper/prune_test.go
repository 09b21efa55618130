package helper

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// age makes everything in a home look as if it had last been changed before now.
func age(t *testing.T, r *rig, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by)
	err := filepath.WalkDir(r.Dir.Path, func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Chtimes(path, at, at)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, r *rig, folder string) int {
	t.Helper()
	entries, err := os.ReadDir(r.Dir.File(folder))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return len(entries)
}

// A home keeps what its sign-ins need and loses what sign-ins that are gone have left, and marks, notices and locks of long ago.
func TestPrune(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	got, err := r.get()
	wantAccess(t, got, err, "access-1")
	orphan := credential.SignInID("https://elsewhere", "c", "", "")
	key, token := newDataKey(), credential.Token{Access: credential.NewSecret("a"), Server: "https://h/mcp"}
	if err := r.Cache.Put(key, orphan, credential.TokenID(orphan, "https://h/mcp", "", nil), token); err != nil {
		t.Fatal(err)
	}
	marks, notices := state.Cooldowns{Records: r.Records}, state.Notices{Records: r.Records}
	if _, err := marks.Start("old", r.now, time.Second); err != nil {
		t.Fatal(err)
	}
	if err := notices.Put("gone", "said"); err != nil {
		t.Fatal(err)
	}
	age(t, r, 100*24*time.Hour)
	if _, err := marks.Start("new", r.now, time.Second); err != nil {
		t.Fatal(err)
	}
	if names(t, r, "pointers") == 0 || names(t, r, "locks") == 0 {
		t.Fatal("there is nothing to prune")
	}
	Pruner{r.Helper}.Prune(t.Context())
	for folder, want := range map[string]int{"tokens": 1, "signins": 1, "servers": 1, "pointers": 0, "marks": 2, "notices": 0} {
		if n := names(t, r, folder); n != want {
			t.Errorf("%d files in %s, not %d", n, folder, want)
		}
	}
	got, err = r.get()
	wantAccess(t, got, err, "access-1")
	if names(t, r, "pointers") != 1 {
		t.Error("the pointer was not made again")
	}
}

// It is done once a day, and what is new is left alone: a sign-in that is being made has tokens before it has a record.
func TestPruneLeavesWhatIsNew(t *testing.T) {
	r := newRig(t)
	r.login(Login{})
	orphan := credential.SignInID("https://elsewhere", "c", "", "")
	put := func() {
		if err := r.Cache.Put(newDataKey(), orphan, credential.TokenID(orphan, "x", "", nil), credential.Token{Access: credential.NewSecret("a")}); err != nil {
			t.Fatal(err)
		}
	}
	put()
	Pruner{r.Helper}.Prune(t.Context())
	if names(t, r, "tokens") != 2 || len(r.warned) != 0 {
		t.Errorf("%d token folders, warnings %q", names(t, r, "tokens"), r.warned)
	}
	age(t, r, 48*time.Hour)
	if _, err := (state.Cooldowns{Records: r.Records}).Start(pruneMark, r.now.Add(-time.Hour), time.Second); err != nil {
		t.Fatal(err)
	}
	Pruner{r.Helper}.Prune(t.Context())
	if names(t, r, "tokens") != 2 {
		t.Error("pruned twice in a day")
	}
}
