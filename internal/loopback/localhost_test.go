package loopback

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestLocalhostTakesAFormPost(t *testing.T) {
	r, err := ListenLocalhost("s1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	uri := r.URI()
	if u, err := url.Parse(uri); err != nil || u.Hostname() != "localhost" || u.Path != "" || u.Port() == "" {
		t.Fatalf("redirect URI %s", uri)
	}
	good := url.Values{"state": {"s1"}, "code": {"c"}}.Encode()
	for name, c := range map[string]struct{ host, path, body string }{
		"another state": {"", "/", "state=s2&code=c"},
		"two states":    {"", "/", "state=s1&state=s1"},
		"another path":  {"", "/callback", good},
		"rebound name":  {"evil.example", "/", good},
		"by address":    {strings.Replace(r.host, "localhost", "127.0.0.1", 1), "/", good},
		"too long":      {"", "/", good + "&x=" + strings.Repeat("a", maxHeader)},
		"in the query":  {"", "/?" + good, ""},
	} {
		if status := post(t, r, c.host, c.path, c.body); status != http.StatusNotFound {
			t.Errorf("%s: %d", name, status)
		}
	}
	done := make(chan int, 1)
	go func() { done <- post(t, r, "", "/", good) }()
	a, err := r.Wait(t.Context())
	if err != nil || a.Values.Get("code") != "c" {
		t.Fatalf("%v %v", a.Values, err)
	}
	a.Done(nil)
	if status := <-done; status != http.StatusOK {
		t.Errorf("the page has status %d", status)
	}
	other, err := Listen("s")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if status := post(t, other, "", "/callback", "state=s&code=c"); status != http.StatusNotFound {
		t.Errorf("a form post where none is expected: %d", status)
	}
}

// post sends a form to a Redirect, under another name where host is given.
func post(t *testing.T, r *Redirect, host, path, body string) int {
	req, err := http.NewRequest(http.MethodPost, "http://"+r.host+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if host != "" {
		req.Host = host
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}
