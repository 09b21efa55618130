package fakeworld

import (
	"net/http"
	"testing"
)

// Stopped servers refuse connections, while the authorization server goes on; started ones are where they were.
func TestRestart(t *testing.T) {
	w, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	status := func(url string) int {
		resp, err := http.Get(url)
		if err != nil {
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if err := w.StopServers(); err != nil {
		t.Fatal(err)
	}
	if got := status(w.ServerURL()); got != 0 {
		t.Errorf("a stopped server answers %d", got)
	}
	if got := status(w.Issuer() + "/.well-known/openid-configuration"); got != 200 {
		t.Errorf("the authorization server answers %d", got)
	}
	if err := w.StartServers(); err != nil {
		t.Fatal(err)
	}
	if got := status(w.ServerURL()); got != http.StatusUnauthorized {
		t.Errorf("a started server answers %d", got)
	}
}
