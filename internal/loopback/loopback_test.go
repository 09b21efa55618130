package loopback

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

type result struct {
	status int
	header http.Header
	body   string
}

func do(t *testing.T, req *http.Request) result {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return result{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return result{resp.StatusCode, resp.Header, string(body)}
}

func request(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func listen(t *testing.T) *Redirect {
	t.Helper()
	r, err := Listen("right")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func checkHeaders(t *testing.T, h http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
		"Content-Type": "text/html; charset=utf-8",
	} {
		if h.Get(name) != want {
			t.Errorf("%s is %q", name, h.Get(name))
		}
	}
	if csp := h.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'unsafe-inline'") {
		t.Errorf("policy is %q", csp)
	}
}

func TestOtherRequestsDoNotEndTheWait(t *testing.T) {
	r := listen(t)
	rebound := request(t, http.MethodGet, r.URI()+"?code=c&state=right", "")
	rebound.Host = "evil.example"
	for name, req := range map[string]*http.Request{
		"wrong state":   request(t, http.MethodGet, r.URI()+"?code=c&state=wrong", ""),
		"no state":      request(t, http.MethodGet, r.URI()+"?code=c", ""),
		"two states":    request(t, http.MethodGet, r.URI()+"?code=c&state=right&state=right", ""),
		"other path":    request(t, http.MethodGet, r.URI()+"/x?code=c&state=right", ""),
		"favicon":       request(t, http.MethodGet, strings.TrimSuffix(r.URI(), path)+"/favicon.ico", ""),
		"POST":          request(t, http.MethodPost, r.URI()+"?code=c&state=right", ""),
		"DNS rebinding": rebound,
	} {
		got := do(t, req)
		if got.status != http.StatusNotFound {
			t.Errorf("%s: status %d", name, got.status)
		}
		checkHeaders(t, got.header)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := r.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait ended with %v", err)
	}
}

func TestPageTellsTheOutcome(t *testing.T) {
	for _, test := range []struct {
		err      error
		want, no string
	}{
		{nil, "The sign-in worked", "failed"},
		{credential.Fail(credential.Refused, "denied <script>alert(1)</script>\x1b[31m", nil), "&lt;script&gt;alert(1)&lt;/script&gt;?[31m", "<script"},
	} {
		r := listen(t)
		shown := make(chan result, 1)
		go func() { shown <- do(t, request(t, http.MethodGet, r.URI()+"?code=c&state=right", "")) }()
		a, err := r.Wait(t.Context())
		if err != nil || a.Values.Get("code") != "c" {
			t.Fatalf("%v, %v", a.Values, err)
		}
		select {
		case got := <-shown:
			t.Fatalf("the page came before the outcome: %s", got.body)
		default:
		}
		second := do(t, request(t, http.MethodGet, r.URI()+"?code=d&state=right", ""))
		if second.status != http.StatusNotFound {
			t.Errorf("second redirect: %d", second.status)
		}
		a.Done(test.err)
		r.Close()
		got := <-shown
		checkHeaders(t, got.header)
		if !strings.Contains(got.body, test.want) || strings.Contains(got.body, test.no) {
			t.Errorf("page for %v:\n%s", test.err, got.body)
		}
	}
}

func TestPageDoesNotWaitForEver(t *testing.T) {
	r := listen(t)
	r.hold = 10 * time.Millisecond
	got := do(t, request(t, http.MethodGet, r.URI()+"?code=c&state=right", ""))
	if !strings.Contains(got.body, "still under way") {
		t.Errorf("page:\n%s", got.body)
	}
}

func TestPortIsFreeAfterClose(t *testing.T) {
	r := listen(t)
	r.Close()
	if _, err := http.Get(r.URI()); err == nil {
		t.Error("something still answers")
	}
}

var question = Question{Server: "https://mcp.example/<b>", Issuer: "https://as.example", Scopes: []string{"read", "wr\x1bite"}, Account: "me@example.com"}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func TestConfirm(t *testing.T) {
	const next = "https://as.example/authorize?x=1&y=2"
	opened := make(chan string, 1)
	done := make(chan error, 1)
	go func() {
		done <- Confirm(t.Context(), question, next, func(u string) error { opened <- u; return nil })
	}()
	address := <-opened
	page := do(t, request(t, http.MethodGet, address, ""))
	checkHeaders(t, page.header)
	for _, want := range []string{"https://mcp.example/&lt;b&gt;", "https://as.example", "read", "wr?ite", "me@example.com", "<form method=\"post\">"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("page lacks %q:\n%s", want, page.body)
		}
	}
	form := url.Values{"nonce": {between(page.body, `name="nonce" value="`, `"`)}}.Encode()
	post := func(address, body, origin, host string) result {
		req := request(t, http.MethodPost, address, body)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		if host != "" {
			req.Host = host
		}
		return do(t, req)
	}
	u, _ := url.Parse(address)
	for name, got := range map[string]result{
		"no nonce":       post(address, "", "", ""),
		"wrong nonce":    post(address, "nonce=x", "", ""),
		"foreign origin": post(address, form, "https://evil.example", ""),
		"foreign host":   post(address, form, "", "evil.example"),
		"guessed path":   post("http://"+u.Host+"/", form, "", ""),
		"guessed page":   do(t, request(t, http.MethodGet, "http://"+u.Host+"/", "")),
	} {
		if got.status != http.StatusNotFound {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	select {
	case err := <-done:
		t.Fatalf("Confirm ended without the button: %v", err)
	default:
	}
	got := post(address, form, "null", "")
	if got.status != http.StatusSeeOther || got.header.Get("Location") != next {
		t.Errorf("button: %d %q", got.status, got.header.Get("Location"))
	}
	if err := <-done; err != nil {
		t.Errorf("Confirm: %v", err)
	}
}

func TestConfirmEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := Confirm(ctx, question, "https://as.example", func(string) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	broken := errors.New("no browser")
	if err := Confirm(t.Context(), question, "https://as.example", func(string) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("no browser: %v", err)
	}
}

// A page about another machine names it, and ends with a page of its own.
func TestConfirmForAnotherMachine(t *testing.T) {
	opened, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- Confirm(t.Context(), Question{Host: "box<b>\x1b", Server: "https://mcp.example"}, "", func(u string) error { opened <- u; return nil })
	}()
	address := <-opened
	page := do(t, request(t, http.MethodGet, address, ""))
	for _, want := range []string{"box&lt;b&gt;?", "https://mcp.example", "Allow box"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("page lacks %q:\n%s", want, page.body)
		}
	}
	req := request(t, http.MethodPost, address, url.Values{"nonce": {between(page.body, `name="nonce" value="`, `"`)}}.Encode())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got := do(t, req)
	checkHeaders(t, got.header)
	if got.status != http.StatusOK || !strings.Contains(got.body, "Allowed") {
		t.Errorf("button: %d %s", got.status, got.body)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
