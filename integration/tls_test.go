//go:build integration && linux

package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// secure is a fakeworld behind TLS, with a certificate of a private authority. Its address is 0.0.0.0, which leads to
// this machine like 127.0.0.1 and is no loopback address: for those net/http uses no proxy, whatever the environment says.
type secure struct {
	world  *fakeworld.World
	server string
	ca     []byte // PEM
}

const anyAddress = "0.0.0.0"

func startSecure(t *testing.T, u *user) *secure {
	t.Helper()
	certificate, ca := newAuthority(t)
	s := &secure{world: strictWorld(t), ca: ca}
	issuer := frontOf(t, s.world.Issuer(), certificate)
	s.server = frontOf(t, strings.TrimSuffix(s.world.ServerURL(), "/mcp"), certificate) + "/mcp"
	s.world.Set(func(k *fakeworld.Behaviour) {
		k.ResourceMetadata = map[string]any{"authorization_servers": []string{issuer}}
		k.Metadata = map[string]any{"issuer": issuer}
		for name, path := range map[string]string{"authorization": "authorize", "token": "token", "device_authorization": "device_authorization", "registration": "register", "revocation": "revoke"} {
			k.Metadata[name+"_endpoint"] = issuer + "/" + path
		}
		k.Metadata["jwks_uri"], k.Device = nil, "approve"
		k.Challenge = "Bearer" // without the address of the metadata, which the world knows as http
	})
	u.configure(`store = "file"`, `passphrase_file = "`+u.path("passphrase")+`"`,
		`[servers."`+s.server+`"]`, `resource = "`+s.world.ServerURL()+`"`)
	return s
}

// frontOf terminates TLS for a server and returns its new origin.
func frontOf(t *testing.T, origin string, certificate tls.Certificate) string {
	t.Helper()
	target, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(target))
	front.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	front.StartTLS()
	t.Cleanup(front.Close)
	return strings.Replace(front.URL, "127.0.0.1", anyAddress, 1)
}

// newAuthority makes a private certificate authority and a certificate of it for anyAddress.
func newAuthority(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	authority := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "private authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	server := x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.ParseIP(anyAddress)}}
	caKey, serverKey := newKey(t), newKey(t)
	root, err := x509.CreateCertificate(rand.Reader, &authority, &authority, &caKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.CreateCertificate(rand.Reader, &server, &authority, &serverKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{leaf}, PrivateKey: serverKey}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root})
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// works signs in, gets, refreshes and signs out.
func (s *secure) works(t *testing.T, u *user) {
	t.Helper()
	u.must("login", "--device", s.server)
	mustAccept(t, s.world.ServerURL(), u.must("get", s.server))
	u.must("erase", s.server)
	mustAccept(t, s.world.ServerURL(), u.must("get", s.server))
	u.must("logout", s.server)
}

func TestPrivateAuthority(t *testing.T) {
	u := newUser(t)
	s := startSecure(t, u)
	u.write("certs/ca.pem", string(s.ca))
	u.refused(u.run("login", "--device", s.server), 5, "certificate", "not trusted", "SSL_CERT_FILE")
	for _, variable := range []string{"SSL_CERT_FILE=" + u.path("certs", "ca.pem"), "SSL_CERT_DIR=" + u.path("certs")} {
		s.works(t, u.with(variable))
	}
	if stats := s.world.Stats(); stats.TokenOK["refresh_token"] != 2 || stats.Revocations == 0 || stats.Reuse != 0 {
		t.Errorf("%+v", stats)
	}
	u.refused(u.with("SSL_CERT_FILE="+u.path("nothing.pem")).run("login", "--device", s.server), 5, "SSL_CERT_FILE")
}

// tunnel is an HTTP proxy that knows CONNECT only, and counts.
type tunnel struct {
	*httptest.Server
	opened atomic.Int64
}

func newTunnel(t *testing.T) *tunnel {
	t.Helper()
	p := &tunnel{}
	p.Server = httptest.NewServer(http.HandlerFunc(p.connect))
	t.Cleanup(p.Close)
	return p
}

func (p *tunnel) connect(rw http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(rw, "CONNECT only", http.StatusMethodNotAllowed)
		return
	}
	far, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(rw, "unreachable", http.StatusBadGateway)
		return
	}
	defer far.Close()
	p.opened.Add(1)
	near, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	_, _ = io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(far, buffered)
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
}

func TestProxy(t *testing.T) {
	u := newUser(t)
	s := startSecure(t, u)
	u.write("ca.pem", string(s.ca))
	u = u.with("SSL_CERT_FILE=" + u.path("ca.pem"))
	p := newTunnel(t)
	through := u.with("HTTPS_PROXY=" + p.URL)
	s.works(t, through)
	opened := p.opened.Load()
	if opened < 4 { // metadata of the server, the issuer's, the refresh, the logout
		t.Errorf("%d tunnels", opened)
	}
	s.works(t, through.with("NO_PROXY="+anyAddress))
	if n := p.opened.Load() - opened; n != 0 {
		t.Errorf("%d tunnels in spite of NO_PROXY", n)
	}
	u.refused(u.with("HTTPS_PROXY=http://127.0.0.1:1").run("login", "--device", s.server), 4, "cannot be reached")
}
