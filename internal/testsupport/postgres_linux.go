package testsupport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Postgres is a PostgreSQL server of a test's own, on loopback, with TLS and passwords. It runs as an unprivileged user.
type Postgres struct {
	t    testing.TB
	dir  string
	bin  string
	as   *syscall.Credential
	cmd  *exec.Cmd
	done chan struct{}
	Port int
	CA   string // path of the certificate to trust
}

const postgresPassword = "for-a-test"

// StartPostgres makes a cluster and starts its server, which ends with the test. Without PostgreSQL the test is skipped; see Missing.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		Missing(t, "PostgreSQL's initdb below /usr/lib/postgresql")
	}
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	p := &Postgres{t: t, dir: dir, bin: filepath.Dir(slices.Max(found)), CA: filepath.Join(dir, "ca.pem")}
	t.Cleanup(func() {
		p.Kill()
		_ = os.RemoveAll(dir)
	})
	if os.Getuid() == 0 { // initdb and postgres refuse to run as root
		p.as = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	p.certificate()
	p.own(dir)
	secret := p.file("password", []byte(postgresPassword+"\n"))
	if out, err := p.command("initdb", "-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--no-locale").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.Port = l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	p.Start()
	return p
}

func (p *Postgres) own(path string) {
	if p.as != nil {
		if err := os.Chown(path, int(p.as.Uid), int(p.as.Gid)); err != nil {
			p.t.Fatal(err)
		}
	}
}

// file writes a file of the server's own.
func (p *Postgres) file(name string, data []byte) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.own(path)
	return path
}

func (p *Postgres) certificate() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		p.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	p.file("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	if err := os.Chmod(p.file("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0o644); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Chmod(p.dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Postgres) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(p.bin, name), args...)
	c.Dir = "/"
	c.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "PGPASSWORD=" + postgresPassword}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	return c
}

// Start starts the server, on the same port again after Kill, and returns when it answers.
func (p *Postgres) Start() {
	p.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		p.cmd = p.command("postgres", "-D", filepath.Join(p.dir, "data"), "-p", strconv.Itoa(p.Port), "-k", p.dir,
			"-c", "listen_addresses=127.0.0.1", "-c", "ssl=on", "-c", "ssl_cert_file="+p.CA, "-c", "ssl_key_file="+filepath.Join(p.dir, "key.pem"),
			"-c", "max_connections=200", "-c", "shared_buffers=16MB")
		log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			p.t.Fatal(err)
		}
		p.cmd.Stdout, p.cmd.Stderr = log, log
		if err := p.cmd.Start(); err != nil {
			p.t.Fatal(err)
		}
		_ = log.Close()
		p.done = make(chan struct{})
		go func(c *exec.Cmd, done chan struct{}) {
			_ = c.Wait()
			close(done)
		}(p.cmd, p.done)
		if p.answers() {
			return
		}
		p.Kill()
		if time.Now().After(end) {
			p.t.Fatalf("PostgreSQL does not start:\n%s", p.Log())
		}
	}
}

// answers waits until the server takes connections; false where it has ended.
func (p *Postgres) answers() bool {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if p.command("pg_isready", "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(p.Port)).Run() == nil {
			return true
		}
		select {
		case <-p.done: // after a kill the children of the server before may still hold its memory
			return false
		case <-ticker.C:
		}
	}
	return false
}

// Kill kills the server with SIGKILL.
func (p *Postgres) Kill() { p.Signal(syscall.SIGKILL) }

// Freeze stops every process of the server: packets arrive, nobody answers. Thaw has them go on.
func (p *Postgres) Freeze() { p.signalAll(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (p *Postgres) Thaw() { p.signalAll(syscall.SIGCONT) }

// signalAll signals the first process before its children, so that it has no more of them.
func (p *Postgres) signalAll(s syscall.Signal) {
	p.Signal(s)
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		data, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(data), ") ")
		fields := strings.Fields(rest)
		pid, err := strconv.Atoi(strings.Split(path, "/")[2])
		if err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(p.cmd.Process.Pid) {
			_ = syscall.Kill(pid, s)
		}
	}
}

// Signal sends a signal to the server's first process; where that ends it, Signal waits for the end.
func (p *Postgres) Signal(s syscall.Signal) {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(s)
	if s == syscall.SIGKILL || s == syscall.SIGQUIT {
		<-p.done
		p.cmd = nil
	}
}

// Log is what the server has written.
func (p *Postgres) Log() string {
	data, _ := os.ReadFile(filepath.Join(p.dir, "log"))
	return string(data)
}

// URL is the address of a database for a user with the password of the tests; query is what follows the question mark. With none
// the server's certificate is verified.
func (p *Postgres) URL(user, database, query string) string {
	if query == "" {
		query = "sslrootcert=" + url.QueryEscape(p.CA)
	}
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?%s", user, postgresPassword, p.Port, database, query)
}

// SQL runs statements as the superuser and returns what they print, a line for each row.
func (p *Postgres) SQL(database, statements string) string {
	p.t.Helper()
	c := p.command("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", strconv.Itoa(p.Port), "-U", "postgres", "-d", database, "-c", statements)
	out, err := c.CombinedOutput()
	if err != nil {
		p.t.Fatalf("psql: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}
