package entra

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The registrations of service principals.
const (
	Service  = "33334444-dddd-5555-eeee-6666ffff7777" // has the secret, certificates and federated credentials
	Assigned = "44445555-eeee-6666-ffff-777788889999" // a user-assigned managed identity

	// ExchangeAudience is whom federated tokens are for.
	ExchangeAudience = "api://AzureADTokenExchange"

	grantMachine  = "client_credentials"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// Federated is a federated credential of Service: whose tokens prove it.
type Federated struct {
	Issuer, Subject string
	Key             *rsa.PublicKey // of the issuer, as its JWKS would say
}

// machines is what the tenant knows of Service. World.mu guards it.
type machines struct {
	secret       string
	certificates [][]byte // DER
	names        []string // subjects whose certificates are good, whichever they are (SNI)
	federated    []Federated
	jti          map[string]bool
	expired      bool
}

// ServiceSecret is the client secret of Service: 40 characters, as Entra makes them.
func (w *World) ServiceSecret() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.serviceSecret()
}

func (w *World) serviceSecret() string {
	if w.machines.secret == "" {
		w.machines.secret = w.tokenStore.secret("Xy8Q~", 40)
	}
	return w.machines.secret
}

// ExpireSecret ends the life of the client secret.
func (w *World) ExpireSecret() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.machines.expired = true
}

// TrustCertificate uploads a certificate to the registration of Service.
func (w *World) TrustCertificate(der []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.machines.certificates = append(w.machines.certificates, der)
}

// TrustName accepts every certificate with this common name (subject name and issuer authentication), where the
// assertion carries it.
func (w *World) TrustName(commonName string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.machines.names = append(w.machines.names, commonName)
}

// TrustFederated adds a federated credential to the registration of Service.
func (w *World) TrustFederated(f Federated) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.machines.federated = append(w.machines.federated, f)
}

// proves judges how a client proves itself: Service by one way, public clients by none.
func (w *World) proves(form url.Values) *refusal {
	secret, assertion := form.Get("client_secret"), form.Get("client_assertion")
	switch {
	case form.Get("client_id") != Service && (secret != "" || assertion != ""):
		return &refusal{status: 401, oauth: "invalid_client", code: 700025, text: "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."}
	case form.Get("client_id") != Service:
		return nil
	case secret != "" && assertion != "":
		return refuse(90023)
	case secret != "" && secret != w.serviceSecret():
		return refuse(7000215)
	case secret != "" && w.machines.expired:
		return refuse(7000222)
	case secret != "":
		return nil
	case assertion == "" || form.Get("client_assertion_type") != assertionType:
		return refuse(7000218)
	}
	w.tokenStore.secrets[assertion] = true
	return w.judgeAssertion(assertion)
}

// redeemMachine hands an app what its application permissions are: all of one app's.
func (w *World) redeemMachine(form url.Values) (issue, *refusal) {
	if form.Get("client_id") != Service {
		return issue{}, refuse(7000218)
	}
	got, ref := w.judgeScope(form.Get("scope"), form.Get("resource"))
	named := slices.DeleteFunc(strings.Fields(form.Get("scope")), func(s string) bool { return openID[s] })
	if ref == nil && (len(named) != 1 || !strings.HasSuffix(named[0], "/.default")) {
		ref = &refusal{oauth: "invalid_scope", code: 1002012, text: "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier."}
	}
	return issue{session: &session{client: Service, user: "app " + Service}, asked: got}, ref
}

// assertion is a client assertion, decoded (RFC 7523 section 3).
type assertion struct {
	header struct {
		Algorithm  string   `json:"alg"`
		Thumbprint string   `json:"x5t#S256"`
		Chain      []string `json:"x5c"`
	}
	claims struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		ID       string `json:"jti"`
		Expiry   int64  `json:"exp"`
		After    int64  `json:"nbf"`
	}
	signed    []byte
	signature []byte
}

func parseAssertion(text string) (a assertion, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return a, false
	}
	var err error
	a.signature, err = base64.RawURLEncoding.DecodeString(parts[2])
	a.signed = []byte(parts[0] + "." + parts[1])
	return a, err == nil && unpart(parts[0], &a.header) && unpart(parts[1], &a.claims)
}

func unpart(text string, into any) bool {
	data, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(data, into) == nil
}

// verify checks the signature with an RSA key by the algorithm of the header.
func (a assertion) verify(key *rsa.PublicKey) bool {
	sum := sha256.Sum256(a.signed)
	switch a.header.Algorithm {
	case "PS256":
		return rsa.VerifyPSS(key, crypto.SHA256, sum[:], a.signature, nil) == nil
	case "RS256":
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], a.signature) == nil
	}
	return false
}

// judgeAssertion takes what is issued by the client itself for a certificate's, anything else for a federated one.
func (w *World) judgeAssertion(text string) *refusal {
	a, ok := parseAssertion(text)
	now := w.now().Unix()
	switch {
	case !ok:
		return assertionRefusal(50027, "JWT token is invalid or malformed.")
	case a.claims.Expiry <= now || a.claims.After > now+int64(5*time.Minute/time.Second):
		return assertionRefusal(700024, "Client assertion is not within its valid time range.")
	case a.claims.Issuer == Service:
		return w.judgeCertificate(a)
	}
	return w.judgeFederated(a)
}

func assertionRefusal(code int, text string) *refusal {
	return &refusal{status: 401, oauth: "invalid_client", code: code, text: text}
}

// judgeCertificate wants the certificate registered, or named and carried along; audience, subject and lifetime as
// documented ("Microsoft identity platform application authentication certificate credentials"); and each assertion once.
func (w *World) judgeCertificate(a assertion) *refusal {
	cert := w.signer(a)
	switch {
	case cert == nil:
		return refuse(700027)
	case a.claims.Subject != Service || a.claims.Audience != "https://"+Host+"/"+Tenant+"/oauth2/v2.0/token":
		return assertionRefusal(700023, "Client assertion audience claim does not match Realm issuer.")
	case a.claims.Expiry > w.now().Add(time.Hour).Unix():
		return assertionRefusal(700024, "Client assertion is not within its valid time range.")
	case a.claims.ID == "" || w.machines.jti[a.claims.ID]:
		return assertionRefusal(50027, "JWT token is invalid or malformed.")
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok || !a.verify(key) || w.now().After(cert.NotAfter) {
		return refuse(700027)
	}
	if w.machines.jti == nil {
		w.machines.jti = map[string]bool{}
	}
	w.machines.jti[a.claims.ID] = true
	return nil
}

// signer finds the certificate that an assertion names by its thumbprint. MSAL writes that in the other base64.
func (w *World) signer(a assertion) *x509.Certificate {
	thumbprint := strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(a.header.Thumbprint)
	candidates := slices.Clone(w.machines.certificates)
	if len(a.header.Chain) > 0 {
		der, err := base64.StdEncoding.DecodeString(a.header.Chain[0])
		if cert, perr := x509.ParseCertificate(der); err == nil && perr == nil && slices.Contains(w.machines.names, cert.Subject.CommonName) {
			candidates = append(candidates, der)
		}
	}
	for _, der := range candidates {
		sum := sha256.Sum256(der)
		if base64.RawURLEncoding.EncodeToString(sum[:]) == thumbprint {
			cert, err := x509.ParseCertificate(der)
			if err == nil {
				return cert
			}
		}
	}
	return nil
}

// judgeFederated compares issuer, subject and audience byte for byte, each with its own code.
func (w *World) judgeFederated(a assertion) *refusal {
	issuer := slices.IndexFunc(w.machines.federated, func(f Federated) bool { return f.Issuer == a.claims.Issuer })
	at := slices.IndexFunc(w.machines.federated, func(f Federated) bool {
		return f.Issuer == a.claims.Issuer && f.Subject == a.claims.Subject
	})
	switch {
	case issuer < 0:
		return &refusal{status: 401, oauth: "invalid_client", code: 700211, text: "No matching federated identity record found for presented assertion issuer."}
	case a.claims.Audience != ExchangeAudience:
		return &refusal{status: 401, oauth: "invalid_client", code: 700212, text: "No matching federated identity record found for presented assertion audience."}
	case at < 0:
		return refuse(700213)
	case !a.verify(w.machines.federated[at].Key):
		return &refusal{status: 401, oauth: "invalid_client", code: 5002730, text: "Key was not found by the issuer's keys."}
	}
	return nil
}
