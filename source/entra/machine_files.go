package entra

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/datakey"
	"github.com/mcp-credential/mcp-credential/source"
)

// readText reads a file that holds one secret and perhaps a newline.
func readText(path, what string) (credential.Secret, error) {
	data, err := source.ReadFile(path, what)
	return credential.NewSecret(strings.TrimSpace(string(data))), err
}

// certificate is a client certificate with what belongs to it.
type certificate struct {
	chain []*x509.Certificate
	key   crypto.PrivateKey
}

// certificate reads the client certificate: PEM or PFX, told apart by their content.
func (m *Machine) certificate() (certificate, error) {
	path := first(m.id.CertificateFile, m.getenv, "AZURE_CLIENT_CERTIFICATE_PATH")
	data, err := source.ReadFile(path, "certificate file")
	if err != nil {
		return certificate{}, err
	}
	var c certificate
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		c, err = parsePEM(data)
	} else {
		c, err = m.parsePFX(data)
	}
	if err == nil {
		err = c.check(m.source.Now())
	}
	if err != nil {
		return certificate{}, credential.Fail(credential.Misconfigured, "the certificate file "+credential.Printable(path, 300)+" cannot be used", err)
	}
	return c, nil
}

var errEncrypted = errors.New("its private key is encrypted, which is supported in PFX only; convert it with openssl pkcs12 -export")

func parsePEM(data []byte) (certificate, error) {
	if bytes.Contains(data, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----")) {
		return certificate{}, errEncrypted
	}
	chain, key, err := confidential.CertFromPEM(data, "")
	return certificate{chain, key}, err
}

func (m *Machine) parsePFX(data []byte) (certificate, error) {
	password := credential.NewSecret(m.getenv("AZURE_CLIENT_CERTIFICATE_PASSWORD"))
	if m.id.CertificatePassFile != "" {
		var err error
		if password, err = readText(m.id.CertificatePassFile, "certificate password file"); err != nil {
			return certificate{}, err
		}
	}
	key, leaf, chain, err := pkcs12.DecodeChain(data, password.Reveal())
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		err = errors.New("its password is wrong; set AZURE_CLIENT_CERTIFICATE_PASSWORD or certificate_password_file")
	}
	if err != nil {
		return certificate{}, err
	}
	return certificate{append([]*x509.Certificate{leaf}, chain...), key}, nil
}

// check says what Entra would say in other words: the certificate of the key has expired, is not valid yet, or is not
// there at all.
func (c certificate) check(now time.Time) error {
	key, ok := c.key.(crypto.Signer)
	if !ok {
		return errors.New("its private key is of an unknown kind")
	}
	for _, cert := range c.chain {
		if public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.Public()) {
			continue
		}
		switch {
		case now.After(cert.NotAfter):
			return errors.New("the certificate expired on " + cert.NotAfter.UTC().Format(time.DateOnly))
		case now.Before(cert.NotBefore):
			return errors.New("the certificate is not valid before " + cert.NotBefore.UTC().Format(time.RFC3339))
		}
		return nil
	}
	return errors.New("none of its certificates belongs to its private key")
}

func (c certificate) credential() (confidential.Credential, error) {
	proof, err := confidential.NewCredFromCert(c.chain, c.key)
	if err != nil {
		return proof, credential.Fail(credential.Misconfigured, "the certificate cannot be used", err)
	}
	return proof, nil
}

// dataKey derives a data key from the private key.
func (c certificate) dataKey(salt []byte) (credential.Secret, error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return credential.Secret{}, credential.Fail(credential.Misconfigured, "the private key of the certificate cannot be used", err)
	}
	return datakey.Derive(der, salt)
}
