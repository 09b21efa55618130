package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/home"
)

func book(t *testing.T) Records {
	t.Helper()
	return bookIn(t, t.TempDir())
}

func bookIn(t *testing.T, parent string) Records {
	t.Helper()
	dir, err := home.Find(filepath.Join(parent, "a [odd] home"), os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	return Records{Dir: dir}
}

func TestRecordsComeBack(t *testing.T) {
	b := book(t)
	if _, err := b.Server("https://h/mcp"); !errors.Is(err, ErrNone) {
		t.Fatalf("an empty book: %v", err)
	}
	for _, url := range []string{"https://b/mcp", "https://a/mcp"} {
		s := Server{URL: url, Issuer: "https://i", Accounts: []Account{{Label: "work", SignIn: "0123456789abcdef0123", Scopes: []string{"read"}}}}
		if err := b.PutServer(s); err != nil {
			t.Fatal(err)
		}
	}
	all, err := b.Servers()
	if err != nil || len(all) != 2 || all[0].URL != "https://a/mcp" {
		t.Fatalf("%v %v, want both in the order of their URLs", all, err)
	}
	users, err := b.Serves("0123456789abcdef0123")
	if err != nil || len(users) != 2 {
		t.Errorf("the sign-in serves %v, %v", users, err)
	}
	if err := errors.Join(b.DropServer("https://a/mcp"), b.DropServer("https://a/mcp")); err != nil {
		t.Error(err)
	}
	if _, err := b.Server("https://a/mcp"); !errors.Is(err, ErrNone) {
		t.Errorf("a dropped server: %v", err)
	}
}

func TestSignInKeepsItsFailure(t *testing.T) {
	b := book(t)
	at := time.Now().Truncate(time.Second).UTC()
	want := SignIn{ID: "0123456789abcdef0123", LastError: &Failure{Kind: credential.Throttled.String(), Text: "slow down", Code: "429", At: at}}
	if err := b.PutSignIn(want); err != nil {
		t.Fatal(err)
	}
	got, err := b.SignIn(want.ID)
	if err != nil || got.LastError == nil || *got.LastError != *want.LastError {
		t.Fatalf("%+v %v", got.LastError, err)
	}
	if e := got.LastError.Err(); e.Kind != credential.Throttled || e.Code != "429" {
		t.Errorf("the error came back as %+v", e)
	}
}

func TestDamagedRecordIsNamedAndTheOthersServed(t *testing.T) {
	b := book(t)
	if err := errors.Join(b.PutServer(Server{URL: "https://a"}), b.PutServer(Server{URL: "https://b"})); err != nil {
		t.Fatal(err)
	}
	path := b.Dir.File("servers", fileName("https://a"))
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := b.Servers()
	if len(all) != 1 || credential.KindOf(err) != credential.BadHome {
		t.Errorf("%v %v, want the other record and an error of the home", all, err)
	}
	if _, err := b.Server("https://a"); credential.KindOf(err) != credential.BadHome {
		t.Errorf("reading it: %v", err)
	}
}

func TestRecordOfAnotherURLIsNone(t *testing.T) {
	b := book(t)
	if err := b.PutServer(Server{URL: "https://a"}); err != nil {
		t.Fatal(err)
	}
	from, to := b.Dir.File("servers", fileName("https://a")), b.Dir.File("servers", fileName("https://victim"))
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
	if s, err := b.Server("https://victim"); !errors.Is(err, ErrNone) {
		t.Errorf("a record under another name was believed: %+v %v", s, err)
	}
}

func TestMarkRests(t *testing.T) {
	b, now := book(t), time.Now()
	for i, c := range []struct {
		at   time.Time
		want bool
	}{{now, true}, {now.Add(time.Second), false}, {now.Add(time.Minute), true}, {now, true}} {
		got, err := (Cooldowns{b}).Start("m", c.at, 10*time.Second)
		if err != nil || got != c.want {
			t.Errorf("mark %d: %v %v, want %v", i, got, err, c.want)
		}
	}
	Cooldowns{b}.End("m")
	if (Cooldowns{b}).Active("m", now, time.Hour) {
		t.Error("still marked")
	}
}

func TestNoticeIsTakenOnce(t *testing.T) {
	b := book(t)
	if got := (Notices{b}).Take("s"); got != "" {
		t.Errorf("a notice out of nothing: %q", got)
	}
	if err := (Notices{b}).Put("s", "refreshed"); err != nil {
		t.Fatal(err)
	}
	var taken atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if (Notices{b}).Take("s") == "refreshed" {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != 1 {
		t.Errorf("%d callers got the notice", taken.Load())
	}
}

func TestFailureStaysUntilItIsTaken(t *testing.T) {
	b, want := book(t), Failure{Kind: credential.Refused.String(), Text: "no", At: time.Now().UTC().Truncate(time.Second)}
	if f, ok := (Notices{b}).Failure("offer"); ok {
		t.Errorf("a failure out of nothing: %v", f)
	}
	if err := (Notices{b}).PutFailure("offer", want); err != nil {
		t.Fatal(err)
	}
	for i, read := range []func(string) (Failure, bool){Notices{b}.Failure, Notices{b}.Failure, Notices{b}.TakeFailure} {
		if f, ok := read("offer"); !ok || f != want {
			t.Errorf("reading %d: %v %v", i, f, ok)
		}
	}
	if f, ok := (Notices{b}).Failure("offer"); ok {
		t.Errorf("taken, and still there: %v", f)
	}
}

func TestWritableSaysWhy(t *testing.T) {
	b := book(t)
	if err := b.Writable(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(b.Dir.File("marks"))
	if err != nil || len(left) != 0 {
		t.Errorf("the probe left %v (%v)", left, err)
	}
	blocked := Records{Dir: home.Dir{Path: b.Dir.File("file", "below")}}
	if err := os.WriteFile(b.Dir.File("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := blocked.Writable(); credential.KindOf(err) != credential.BadHome {
		t.Errorf("a home below a file: %v", err)
	}
}

func TestFareIsTheTokensOwn(t *testing.T) {
	at := time.Now().Truncate(time.Second).UTC()
	bound := SignIn{ID: "s", Attempts: 3}
	if got := bound.For("a"); got.Work() != "s" || got.Attempts != 3 || got.Merged(false).Attempts != 3 {
		t.Errorf("a bound sign-in has no other view: %+v", got)
	}
	one := SignIn{ID: "s", Unbound: true}.For("a")
	one.Attempts, one.Failures, one.Claims, one.NextTry, one.LastError = 2, 1, "{}", at.Add(time.Minute), &Failure{Kind: "refused", At: at}
	whole := one.Merged(false)
	if other := whole.For("b"); other.Work() != "b" || other.Attempts != 0 || other.Resting(at) || other.LastError != nil || other.Claims != "" {
		t.Errorf("another token shares it: %+v", other)
	}
	if again := whole.For("a"); again.Attempts != 2 || again.Claims != "{}" || !again.Resting(at) || again.LastError == nil {
		t.Errorf("it is lost: %+v", again)
	}
	if other := one.Merged(true).For("b"); !other.Resting(at) || other.LastError == nil || other.Attempts != 0 {
		t.Errorf("a request to wait is not everybody's: %+v", other)
	}
}

// The records of earlier versions are read: the names of their members stay.
func TestRecordsOfEarlierVersions(t *testing.T) {
	b := book(t)
	si := SignIn{ID: "s", Unbound: true, Attempts: 1}.For("token")
	si.Attempts, si.Expiry = 7, time.Unix(1893456000, 0).UTC()
	if err := b.PutSignIn(si.Merged(false)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(b.Dir.File("signins", "s.json"))
	const want = `"fares":{"token":{"token_expiry":"2030-01-01T00:00:00Z","attempts":7,"failures":0}}`
	if compact := strings.Join(strings.Fields(string(text)), ""); err != nil || !strings.Contains(compact, want) {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
}

// A record that is removed while the others are read is none, and no error.
func TestRecordsThatComeAndGo(t *testing.T) {
	b := book(t)
	steady := Server{URL: "https://steady/mcp"}
	if err := b.PutServer(steady); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() {
			s := Server{URL: "https://passing/" + string(rune('a'+i))}
			for !stop.Load() {
				if err := errors.Join(b.PutServer(s), b.DropServer(s.URL)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 500 {
		found, err := b.Servers()
		if err != nil || len(found) == 0 {
			t.Errorf("%v, error %v", found, err)
			break
		}
	}
	stop.Store(true)
	all.Wait()
}
