package fakeworld_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// product stands for the loopback page of the product: it remembers what came back.
func product(t *testing.T, page string) (*httptest.Server, *[]string) {
	var seen []string
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.URL.Path+"?"+r.FormValue("code")+r.FormValue("a"))
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(rw, page)
		}
	}))
	t.Cleanup(s.Close)
	return s, &seen
}

func TestVisitPressesTheButton(t *testing.T) {
	a := start(t, fakeworld.Options{})
	s, seen := product(t, "signed in")
	form := with(a.authorizeForm(), "redirect_uri", strings.Replace(s.URL, "localhost", "127.0.0.1", 1)+"/callback")
	for range 2 {
		a.w.Set(func(k *fakeworld.Behaviour) { k.Ask = !k.Ask })
		page, err := fakeworld.Visit(context.Background(), a.w.Issuer()+"/authorize?"+form.Encode())
		if err != nil || page.Body != "signed in" || !strings.HasPrefix(page.URL, s.URL+"/callback?") {
			t.Fatal(page, err)
		}
	}
	if len(*seen) != 2 || !strings.HasPrefix((*seen)[1], "GET /callback?co_") {
		t.Errorf("the product saw %v", *seen)
	}
}

func TestVisitReadsForms(t *testing.T) {
	for name, c := range map[string]struct{ page, want string }{
		"attributes":    {`<FORM Method='POST' action="go?x=1"><input type=hidden name="a" value="1 &amp; 2"></form>`, "POST /dir/go?1 & 2"},
		"get form":      {`<form action="/search"></form>`, ""},
		"second form":   {`<form></form><form method=post action=/second><button name=a value=b>Go</button></form>`, "POST /second?b"},
		"two buttons":   {`<form method=post action=/f><button name=a value=yes>Yes</button><input type=submit name=a value=no></form>`, "POST /f?yes"},
		"no action":     {`<form method="post"></form>`, "POST /dir/?"},
		"no form":       {`<p>form method=post</p>`, ""},
		"foreign field": {`<input name=a value=x><form method=post action=/f></form>`, "POST /f?"},
	} {
		t.Run(name, func(t *testing.T) {
			s, seen := product(t, c.page)
			if _, err := fakeworld.Visit(context.Background(), s.URL+"/dir/"); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join((*seen)[1:], ","); got != c.want {
				t.Errorf("pressed %q, want %q", got, c.want)
			}
		})
	}
}

func TestVisitKeepsCookies(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("session"); err != nil {
			http.SetCookie(rw, &http.Cookie{Name: "session", Value: "1", Path: "/"})
			http.Redirect(rw, r, "/again", http.StatusSeeOther)
		}
	}))
	defer s.Close()
	if page, err := fakeworld.Visit(context.Background(), s.URL); err != nil || page.Status != http.StatusOK {
		t.Error(page, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := fakeworld.Visit(ctx, s.URL); err == nil {
		t.Error("a visit after its end")
	}
}
