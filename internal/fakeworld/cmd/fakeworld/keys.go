package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// makeKeys makes the keys that the flags ask for.
func (e *extras) makeKeys(o *fakeworld.Options) error {
	if e.clientKey != "" {
		key, err := newKey(e.clientKey)
		if err != nil {
			return err
		}
		o.ClientKey = key.Public()
	}
	if e.workload != "" {
		key, err := newKey(e.workload + ".pem")
		if err != nil {
			return err
		}
		e.workloadKey, o.WorkloadKey = key, key.Public()
	}
	return nil
}

// newKey makes a key and writes it as PKCS#8.
func newKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// vouch writes an assertion for this issuer, as the issuer of a workload does.
func (e *extras) vouch(issuer string) error {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: e.workloadKey}, nil)
	if err != nil {
		return err
	}
	text, err := jwt.Signed(s).Claims(jwt.Claims{
		Issuer: "https://workloads.example", Subject: "agent", Audience: jwt.Audience{issuer}, ID: rand.Text(),
		Expiry: jwt.NewNumericDate(time.Now().Add(5 * time.Minute)),
	}).Serialize()
	if err != nil {
		return err
	}
	return os.WriteFile(e.workload, []byte(text+"\n"), 0o600)
}
