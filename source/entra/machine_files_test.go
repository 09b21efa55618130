package entra

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestClientCertificate(t *testing.T) {
	r := newMachineRig(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	cert := selfSigned(t, key, time.Now().Add(time.Hour))
	text := encodePEM(t, cert, key)
	r.set("AZURE_CLIENT_CERTIFICATE_PATH=" + r.file("client.pem", text))
	r.refused(credential.Misconfigured, "the client certificate is not one of the registration's")
	r.world.TrustCertificate(cert.Raw)
	r.works(Certificate)
	r.works(Certificate) // another assertion, or its jti would be refused

	m, _ := r.machine()
	if k, err := m.Key([]byte("salt")); err != nil || k.IsZero() {
		t.Errorf("no data key: %v", err)
	}

	renewed := selfSigned(t, key, time.Now().Add(2*time.Hour)) // subject name and issuer: not uploaded, only named
	r.set("AZURE_CLIENT_CERTIFICATE_PATH=" + r.file("renewed.pem", encodePEM(t, renewed, key)))
	r.refused(credential.Misconfigured, "AADSTS700027")
	r.world.TrustName(renewed.Subject.CommonName)
	r.works(Certificate)

	for name, encoder := range map[string]*pkcs12.Encoder{"modern": pkcs12.Modern, "legacy": pkcs12.LegacyDES} {
		pfx, err := encoder.Encode(key, cert, nil, "open sesame")
		if err != nil {
			t.Fatal(err)
		}
		r.set("AZURE_CLIENT_CERTIFICATE_PATH="+r.file(name+".pfx", string(pfx)), "AZURE_CLIENT_CERTIFICATE_PASSWORD=open sesame")
		r.works(Certificate)
		r.set("AZURE_CLIENT_CERTIFICATE_PASSWORD=wrong password")
		r.refused(credential.Misconfigured, "its password is wrong")
		r.id.CertificatePassFile = r.file("password", "open sesame\n")
		r.works(Certificate)
		r.id.CertificatePassFile = ""
	}
}

func TestBadCertificates(t *testing.T) {
	r := newMachineRig(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := selfSigned(t, key, time.Now().Add(time.Hour))
	for says, text := range map[string]string{
		"the certificate expired on":       encodePEM(t, selfSigned(t, key, time.Now().Add(-time.Hour)), key),
		"the certificate is not valid":     encodePEM(t, selfSigned(t, key, time.Now().Add(72*time.Hour)), key),
		"none of its certificates belongs": encodePEM(t, cert, other),
		"no private key":                   encodePEM(t, cert, nil),
		"supported in PFX only":            encodePEM(t, cert, nil) + "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
		"key must be an RSA key":           encodePEM(t, selfSigned(t, other, time.Now().Add(time.Hour)), other),
		"cannot be used":                   "neither PEM nor PFX",
		"it is empty":                      "\n",
	} {
		r.set("AZURE_CLIENT_CERTIFICATE_PATH=" + r.file("client.pem", text))
		r.refused(credential.Misconfigured, says)
	}
	r.set("AZURE_CLIENT_CERTIFICATE_PATH=" + t.TempDir())
	r.refused(credential.Misconfigured, "not a regular file")
	if n := r.requests(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func selfSigned(t *testing.T, key crypto.Signer, end time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(end.UnixNano()), Subject: pkix.Name{CommonName: "agent.contoso.com"},
		NotBefore: end.Add(-48 * time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func encodePEM(t testing.TB, cert *x509.Certificate, key any) string {
	t.Helper()
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	if key != nil {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	}
	return string(out)
}

// FuzzCertificate: what is read can be written and is read again; what cannot be is an error and no more.
func FuzzCertificate(f *testing.F) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		f.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(encodePEM(f, cert, key)))
	f.Add([]byte(encodePEM(f, cert, nil)))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parsePEM(data)
		if err != nil || c.check(time.Now()) != nil {
			return
		}
		again, err := parsePEM([]byte(encodePEM(t, c.chain[0], c.key)))
		if err != nil || !again.chain[0].Equal(c.chain[0]) {
			t.Errorf("%v", err)
		}
	})
}
