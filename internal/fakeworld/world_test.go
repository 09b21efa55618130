package fakeworld_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

func TestTLS(t *testing.T) {
	a := start(t, fakeworld.Options{TLS: true})
	if _, err := a.http.Get(a.w.ServerURL()); err == nil {
		t.Error("an unknown certificate was trusted")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(a.w.CertPEM()) {
		t.Fatal("no certificate")
	}
	a.http.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
	for _, u := range []string{a.w.ServerURL(), a.w.Issuer()} {
		if !strings.HasPrefix(u, "https://127.0.0.1:") {
			t.Errorf("it is at %s", u)
		}
	}
	a.wantPing(a.signIn().text("access_token"), http.StatusOK)
}

func TestClose(t *testing.T) {
	a := start(t, fakeworld.Options{})
	a.fault(fakeworld.Fault{On: fakeworld.OnMCP, Hang: true})
	hung := make(chan error, 1)
	go func() {
		resp, err := a.http.Get(a.w.ServerURL())
		if err == nil {
			_ = resp.Body.Close()
		}
		hung <- err
	}()
	for end := time.Now().Add(5 * time.Second); a.w.Stats().HTTP["GET /mcp"] == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the request never arrived")
		}
	}
	if err := a.w.Close(); err != nil {
		t.Error(err)
	}
	if err := <-hung; err == nil {
		t.Error("a request outlived the world")
	}
	if err := a.w.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

func FuzzControl(f *testing.F) {
	w, err := fakeworld.Start(fakeworld.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = w.Close() })
	for _, seed := range []string{
		`{"reset":true,"knobs":{"skew":"-1h","token":{"expires_in":null},"faults":[{"times":2}]}}`,
		`{"knobs":{"client_documents":{"https://x":{"client_id":"https://x"}},"faults":[]}}`, `{"knobs":null}`, `[]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(_ *testing.T, body []byte) {
		if w.Control(body) == nil {
			w.Set(func(*fakeworld.Behaviour) {}) // panics over knobs that do not survive encoding and decoding
		}
	})
}
