package helper

import (
	"os"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/home"
	"github.com/mcp-credential/mcp-credential/state"
)

func TestRepeats(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	dir := home.Dir{Path: t.TempDir()}
	r := Repeats{Records: state.Records{Dir: dir}, Now: func() time.Time { return now }}
	q := credential.Query{URL: "https://h.example/mcp"}
	token := credential.Token{Obtained: now.Add(-time.Minute)}
	step := func(what string, pass time.Duration, want bool) {
		t.Helper()
		now = now.Add(pass)
		if got := r.Again(r.Last(q), token); got != want {
			t.Errorf("%s: %v", what, got)
		}
	}
	step("never served", 0, false)
	r.Served(q)
	step("at once", 0, true)
	step("29 s later", 29*time.Second, true)
	step("30 s later", time.Second, false)
	r.Served(q)
	r.Checked(q)
	step("checked", 0, false)
	r.Served(q)
	step("checked 29 s ago, served since", 29*time.Second, false)
	now = now.Add(2 * time.Second)
	r.Served(q)
	step("served when the check is old", 0, true)
	token.Obtained = now.Add(time.Second)
	step("another token", 2*time.Second, false)
	now = now.Add(-time.Hour) // the clock went back: the mark means nothing
	token.Obtained = now.Add(-time.Minute)
	step("an hour back", 0, false)
	r.Served(q)
	step("served an hour back", 0, true)
	if other := (credential.Query{URL: q.URL, Account: "work"}); r.Again(r.Last(other), token) {
		t.Error("another account was served")
	}
	if err := os.Chmod(dir.File("marks"), 0o500); err == nil {
		r.Served(credential.Query{URL: "https://other.example/mcp"}) // says nothing
	}
	_ = os.Chmod(dir.File("marks"), 0o700)
}
