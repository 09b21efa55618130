package helper

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// Repeats notices a host that asks for the headers of one server again right after it had them. Such a host has no way to say
// that a token was refused; that it asks again most likely says so. One mark for each question holds when it was last served,
// or, in the future, until when it need not be checked again. The front looks at the mark; the core asks the server.
type Repeats struct {
	Records state.Records
	Now     func() time.Time
}

// Name names the mark of a question, and the lock of whoever asks the server.
func (r Repeats) Name(q credential.Query) string {
	sum := sha256.Sum256([]byte(q.URL + "\n" + q.Account + "\n" + q.ClientID + "\n" + strings.Join(q.Scopes, " ")))
	return "served-" + hex.EncodeToString(sum[:8])
}

func (r Repeats) path(q credential.Query) string { return r.Records.Dir.File("marks", r.Name(q)) }

// Last returns the mark of a question, zero where there is none. It is read before the token: a token that is read later is at
// least as new as what the mark says of it.
func (r Repeats) Last(q credential.Query) time.Time {
	info, err := os.Stat(r.path(q))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Again reports whether t has been served less than credential.RepeatRest ago, and not been checked since. last is from Last.
func (r Repeats) Again(last time.Time, t credential.Token) bool {
	age := r.Now().Sub(last)
	return age >= 0 && age < credential.RepeatRest && !last.Before(t.Obtained)
}

// Served notes that the question is being answered, in a home that holds a mark or can take one.
func (r Repeats) Served(q credential.Query) {
	now := r.Now()
	if ahead := r.Last(q).Sub(now); ahead > 0 && ahead <= credential.RepeatRest {
		return
	}
	r.mark(r.path(q), now)
}

// Checked notes that the token need not be checked again for credential.RepeatRest.
func (r Repeats) Checked(q credential.Query) { r.mark(r.path(q), r.Now().Add(credential.RepeatRest)) }

// mark is a courtesy: where it fails, the next call is the first one again.
func (r Repeats) mark(path string, at time.Time) {
	if os.Chtimes(path, at, at) == nil {
		return
	}
	_ = os.MkdirAll(filepath.Dir(path), 0o700)
	if f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600); err == nil {
		_ = f.Close()
		_ = os.Chtimes(path, at, at)
	}
}
