package webclient

import (
	"crypto/x509"
	"io"
	"os"
	"path/filepath"

	"github.com/mcp-credential/mcp-credential/credential"
)

// maxCertFile bounds one certificate file in bytes; the bundles of operating systems are below 1 MiB.
const maxCertFile = 8 << 20

// loadRoots returns the system's roots with those of SSL_CERT_FILE and SSL_CERT_DIR added, and nil (the system's) where
// neither is set. crypto/x509 reads the variables on Linux and the BSDs only, and passes over a file it cannot read,
// which then shows up as an untrusted server; here the file is named.
func loadRoots(getenv func(string) string) (*x509.CertPool, error) {
	file, dirs := getenv("SSL_CERT_FILE"), getenv("SSL_CERT_DIR")
	if file == "" && dirs == "" {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil { // a container without certificates of its own
		pool = x509.NewCertPool()
	}
	if file != "" {
		if err := addFile(pool, file, "SSL_CERT_FILE"); err != nil {
			return nil, err
		}
	}
	for _, dir := range filepath.SplitList(dirs) {
		if err := addDir(pool, dir); err != nil {
			return nil, err
		}
	}
	return pool, nil
}

func addFile(pool *x509.CertPool, path, variable string) error {
	data, err := readCert(path)
	if err != nil {
		return credential.Fail(credential.Misconfigured, "cannot read "+path+", which "+variable+" names", err)
	}
	if !pool.AppendCertsFromPEM(data) {
		return credential.Fail(credential.Misconfigured, path+", which "+variable+" names, holds no PEM certificate", nil)
	}
	return nil
}

// addDir adds the certificates of a directory; other files in it do not matter, as in crypto/x509.
func addDir(pool *x509.CertPool, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return credential.Fail(credential.Misconfigured, "cannot read "+dir+", which SSL_CERT_DIR names", err)
	}
	for _, e := range entries {
		if data, err := readCert(filepath.Join(dir, e.Name())); err == nil {
			pool.AppendCertsFromPEM(data)
		}
	}
	return nil
}

func readCert(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: path, Err: os.ErrInvalid}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCertFile))
	return credential.WithoutBOM(data), err
}
