package state

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// A record is what we wrote, or an error of kind BadHome that names the file: people edit these files. What could be read comes back
// the same after it is written.
func FuzzSignIn(f *testing.F) {
	whole, err := json.Marshal(SignIn{ID: "0123456789abcdef0123", Source: "oauth", Granted: []string{"a"}, Created: time.Unix(1_700_000_000, 0),
		Dead: &Dead{Reason: "x"}, PerToken: map[string]TokenRecord{"t": {Failures: 1, LastError: &Failure{Kind: "network"}}}})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{whole, whole[:len(whole)-1], []byte("{}"), []byte("null"), []byte("[]"), []byte(`{"created":1}`), []byte(`{"dead":{}}`), {}, {0xff}} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		b := bookIn(t, dir)
		const id = "0123456789abcdef0123"
		if err := b.folder("signins"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(b.Dir.File("signins", id+".json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := b.SignIn(id)
		if err != nil {
			if credential.KindOf(err) != credential.BadHome || errors.Is(err, ErrNone) {
				t.Fatalf("%v of kind %v", err, credential.KindOf(err))
			}
			return
		}
		first, err := json.Marshal(s)
		if err != nil {
			return // a year beyond 9999, which no clock says
		}
		var again SignIn
		if err := json.Unmarshal(first, &again); err != nil {
			t.Fatal(err)
		}
		if second, err := json.Marshal(again); err != nil || string(second) != string(first) {
			t.Fatalf("%s became %s, %v", first, second, err)
		}
		_ = s.For("t").Merged(false).Expires("t", time.Now())
	})
}
