package webclient

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

func newClient(t *testing.T, env map[string]string) *http.Client {
	t.Helper()
	c, err := New(Options{Version: "1.2", Getenv: func(k string) string { return env[k] }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestUserAgent(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.UserAgent()) })
	resp, err := newClient(t, nil).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, err := ReadBody(resp, 100)
	if err != nil || string(body) != "mcp-credential/1.2" {
		t.Errorf("user agent %q, %v", body, err)
	}
}

func TestRedirects(t *testing.T) {
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Error("the other origin was asked") })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/here", "/post":
			http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
		case "/end":
			_, _ = io.WriteString(w, "end")
		}
	})
	c := newClient(t, nil)
	for _, path := range []string{"/away", "/file", "/loop"} {
		_, err := c.Get(s.URL + path)
		if got := Failure(err, "server"); credential.KindOf(got) != credential.Hostile {
			t.Errorf("%s: %v", path, got)
		}
	}
	resp, err := c.Get(s.URL + "/here")
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := ReadBody(resp, 10); string(body) != "end" {
		t.Errorf("own origin: %q", body)
	}
	resp, err = c.Post(s.URL+"/post", "text/plain", strings.NewReader("secret"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("a POST was redirected: %d", resp.StatusCode)
	}
	req, err := http.NewRequest(http.MethodGet, s.URL+"/here", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("DPoP", "proof of this address")
	if resp, err = c.Do(req); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("a proof was redirected: %d", resp.StatusCode)
	}
}

func TestReadBody(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/big":
			for range 64 {
				_, _ = w.Write(make([]byte, 1024))
			}
		case "/broken":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "short")
		}
	})
	c := newClient(t, nil)
	for path, want := range map[string]credential.Kind{"/big": credential.BadAnswer, "/broken": credential.Network} {
		resp, err := c.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadBody(resp, 16<<10); credential.KindOf(err) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func tlsServer(t *testing.T, max uint16) (*httptest.Server, []byte) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: max}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func TestCertificates(t *testing.T) {
	s, cert := tlsServer(t, tls.VersionTLS13)
	dir := t.TempDir()
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, env := range []map[string]string{{"SSL_CERT_FILE": file}, {"SSL_CERT_DIR": t.TempDir() + string(os.PathListSeparator) + dir}} {
		resp, err := newClient(t, env).Get(s.URL)
		if err != nil {
			t.Errorf("%v: %v", env, err)
			continue
		}
		resp.Body.Close()
	}
	_, err := newClient(t, nil).Get(s.URL)
	if got := Failure(err, "server"); got.Kind != credential.Untrusted || !strings.Contains(got.Text, "certificate") {
		t.Errorf("untrusted: %v", got)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	s, cert := tlsServer(t, tls.VersionTLS11)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newClient(t, map[string]string{"SSL_CERT_FILE": file}).Get(s.URL); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestUnusableCertificatesAreNamed(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, env := range []map[string]string{
		{"SSL_CERT_FILE": filepath.Join(dir, "missing.pem")}, {"SSL_CERT_FILE": empty}, {"SSL_CERT_FILE": dir},
		{"SSL_CERT_DIR": filepath.Join(dir, "nowhere")},
	} {
		_, err := New(Options{Getenv: func(k string) string { return env[k] }})
		named := env["SSL_CERT_FILE"] + env["SSL_CERT_DIR"]
		if credential.KindOf(err) != credential.Misconfigured || !strings.Contains(err.Error(), named) {
			t.Errorf("%v: %v", env, err)
		}
	}
}

// TestProxyFromEnvironment runs in a child, because net/http reads the variables once per process.
func TestProxyFromEnvironment(t *testing.T) {
	if os.Getenv("WEBCLIENT_CHILD") != "" {
		_, err := newClient(t, nil).Get("https://server.invalid/")
		if err == nil {
			t.Error("no error from a proxy that refuses")
		}
		return
	}
	asked := make(chan string, 1)
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	})
	child := exec.Command(os.Args[0], "-test.run=^TestProxyFromEnvironment$")
	child.Env = append(os.Environ(), "WEBCLIENT_CHILD=1", "HTTPS_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy=")
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
	select {
	case got := <-asked:
		if got != "CONNECT server.invalid:443" {
			t.Errorf("proxy was asked %q", got)
		}
	default:
		t.Error("the proxy was not asked")
	}
}

func TestFailure(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = newClient(t, nil).Get("http://" + l.Addr().String() + "/?code=secret")
	got := Failure(err, "authorization server")
	if got.Kind != credential.Network || strings.Contains(got.Error(), "secret") {
		t.Errorf("refused: %v", got)
	}
	silent := serve(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, silent.URL, nil)
	_, err = newClient(t, nil).Do(req)
	if got := Failure(err, "server"); got.Kind != credential.Network || !errors.Is(got, context.DeadlineExceeded) {
		t.Errorf("silent: %v", got)
	}
	foreign := httptest.NewTLSServer(http.NotFoundHandler())
	defer foreign.Close()
	foreign.Config.ErrorLog = log.New(io.Discard, "", 0)
	_, err = newClient(t, nil).Get(foreign.URL)
	if got := Failure(err, "server"); got.Kind != credential.Untrusted || !strings.Contains(got.Text, "not trusted") {
		t.Errorf("a certificate of nobody's: %v", got)
	}
}

// What a server says that does not speak HTTP is not repeated: it may be what was just sent to it.
func TestAnswerThatIsNotHTTP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "secret\r\n")
		_, _ = io.Copy(io.Discard, c)
	}()
	_, err = newClient(t, nil).Get("http://" + l.Addr().String())
	got := Failure(err, "server")
	if got.Kind != credential.Network || strings.Contains(got.Error(), "secret") || !strings.Contains(got.Error(), "no HTTP answer") {
		t.Errorf("%v", got)
	}
}
