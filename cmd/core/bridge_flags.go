package core

import (
	"crypto/x509"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/browser"
)

// proxySchemes are those that net/http speaks.
var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

func parseProxy(text string) (*url.URL, error) {
	place, err := url.Parse(text)
	if err != nil || place.Host == "" || !slices.Contains(proxySchemes, place.Scheme) {
		return nil, credential.Fail(credential.Usage, "--proxy takes a URL such as http://proxy.example:3128; its scheme is http, https, socks5 or socks5h", nil)
	}
	return place, nil
}

// checkCAFile names the flag in what webclient would say of the variable.
func checkCAFile(path string) error {
	if path == "" {
		return nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return credential.Fail(credential.Usage, "the file of --ca-file cannot be read", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return credential.Fail(credential.Usage, "the file of --ca-file has no certificate (PEM)", nil)
	}
	return nil
}

// signInWait is how long requests wait for a person, in the words of bridge.Config.
func (c bridgeCmd) signInWait() time.Duration {
	switch {
	case c.SignInWait == nil:
		return 0
	case *c.SignInWait == 0:
		return -1
	}
	return *c.SignInWait
}

// startWait is how long the host's first request waits, in the words of bridge.Config: for the server where nobody could
// repair what is wrong, and a missing tool must be seen.
func (c bridgeCmd) startWait() time.Duration {
	switch {
	case c.Strict || browser.CI(osGetenv):
		return 0
	case c.StartWait == nil:
		return credential.BridgeStart
	}
	return *c.StartWait
}
