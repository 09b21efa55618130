package webclient

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Every failure of the network is told in plain words; the network's own are in the detail.
func TestReasonsArePlain(t *testing.T) {
	dial := func(err error) error {
		return &url.Error{Op: "Post", URL: "https://h/secret", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	for want, err := range map[string]error{
		"there is no host called nowhere.example":        dial(&net.DNSError{Err: "no such host", Name: "nowhere.example", IsNotFound: true}),
		"the name h.example cannot be looked up":         dial(&net.DNSError{Err: "server misbehaving", Name: "h.example", IsTemporary: true}),
		"nothing listens there":                          dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)),
		"this machine has no way to it":                  dial(os.NewSyscallError("connect", syscall.ENETUNREACH)),
		"no connection came about":                       dial(errors.New("connectex: something else")),
		"there was no answer in time":                    &url.Error{Op: "Get", Err: context.DeadlineExceeded},
		"it was given up":                                &url.Error{Op: "Get", Err: context.Canceled},
		"the connection broke off":                       &url.Error{Op: "Get", Err: io.EOF},
		"the TLS handshake failed":                       &url.Error{Op: "Get", Err: tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}},
		"its proxy: nothing listens there":               &url.Error{Op: "Get", Err: &net.OpError{Op: "proxyconnect", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}},
		"cannot be reached: there is no host called x.y": fmt.Errorf("wrapped: %w", &net.DNSError{Name: "x.y", IsNotFound: true}),
	} {
		got := Failure(err, "server")
		text := got.Error()
		if got.Kind != credential.Network || !strings.HasPrefix(text, "the server cannot be reached: ") || !strings.Contains(text, want) {
			t.Errorf("got %q\nwant %q", text, want)
		}
		for _, word := range []string{"dial", "lookup", "tcp", "context", "connect:", "secret", "EOF"} {
			if strings.Contains(text, word) {
				t.Errorf("%q has the word %q", text, word)
			}
		}
		if Detail(got) == "" {
			t.Errorf("%q has no detail", text)
		}
	}
}

// Certificates that do not hold, each with its own reason.
func TestDistrust(t *testing.T) {
	for want, template := range map[string]x509.Certificate{
		"has expired":                        {NotAfter: time.Now().Add(-time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}},
		"is for another name than 127.0.0.1": {NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"elsewhere.example"}, IPAddresses: []net.IP{net.IPv4(127, 9, 9, 9)}},
	} {
		template.SerialNumber, template.NotBefore = big.NewInt(1), time.Now().Add(-2*time.Hour)
		template.IsCA, template.BasicConstraintsValid = true, true
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		file := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = newClient(t, map[string]string{"SSL_CERT_FILE": file}).Get(s.URL)
		if got := Failure(err, "server"); got.Kind != credential.Untrusted || !strings.Contains(got.Error(), want) {
			t.Errorf("got %v, want %q", got, want)
		}
	}
}
