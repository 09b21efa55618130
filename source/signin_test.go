package source

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/loopback"
)

// ui is a person whose browser does what a test says, and who pastes what it says.
type ui struct {
	UI
	open   func(ctx context.Context, url string) error
	pastes []string
	wrong  []error
}

func (u *ui) OpenURL(ctx context.Context, url string) error { return u.open(ctx, url) }

func (u *ui) PastedRedirect(_ context.Context, wrong error) (string, error) {
	u.wrong = append(u.wrong, wrong)
	text := u.pastes[0]
	u.pastes = u.pastes[1:]
	return text, nil
}

// A browser that stays in the foreground has brought the redirect before it has been "opened".
func TestBrowserInTheForeground(t *testing.T) {
	waiting, err := loopback.Listen("state")
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	arrived := make(chan error, 1)
	u := &ui{open: func(ctx context.Context, address string) error {
		go func() {
			resp, err := http.Get(address + "?state=state&code=c")
			if err == nil {
				resp.Body.Close()
			}
			arrived <- err
		}()
		<-ctx.Done() // the person closes the browser only when all is over
		return ctx.Err()
	}}
	callback, err := Browse(t.Context(), u, waiting.URI(), waiting)
	if err != nil || callback.Values.Get("code") != "c" {
		t.Fatalf("%v, %v", callback.Values, err)
	}
	callback.Done(nil)
	if err := <-arrived; err != nil {
		t.Error(err)
	}
}

// A browser that cannot be opened ends the wait with its error.
func TestNoBrowser(t *testing.T) {
	waiting, err := loopback.Listen("state")
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	none := errors.New("no browser")
	if _, err := Browse(t.Context(), &ui{open: func(context.Context, string) error { return none }}, waiting.URI(), waiting); !errors.Is(err, none) {
		t.Error(err)
	}
}

// What is pasted is asked for again until it is the redirect of this attempt.
func TestPastedUntilItIsRight(t *testing.T) {
	a := NewAttempt()
	a.Redirect = "http://localhost:1"
	right := a.Redirect + "/?" + url.Values{"state": {a.State}, "code": {"c"}}.Encode()
	u := &ui{
		open:   func(context.Context, string) error { return nil },
		pastes: []string{"", "https://elsewhere.example/?code=c", a.Redirect + "?state=other&code=c", right + "&code=d", right},
	}
	values, err := a.Pasted(t.Context(), u, "https://as.example/authorize")
	if err != nil || values.Get("code") != "c" || len(u.wrong) != 5 || u.wrong[0] != nil || u.wrong[4] == nil {
		t.Errorf("%v, %v after %v", values, err, u.wrong)
	}
}

// A sign-in that its caller gives up says so, whatever else it fails with.
func TestSignInGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := SignIn(ctx, func(context.Context) (credential.Answer, error) {
		cancel()
		return credential.Answer{}, errors.New("the browser was closed")
	})
	if credential.KindOf(err) != credential.NoSignIn || err.Error() != "the sign-in was given up" {
		t.Error(err)
	}
}
