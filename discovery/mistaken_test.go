package discovery

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

// A URL that is probably misspelt says how.
func TestMistakenServers(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	for path, want := range map[string]string{
		"":      "there is nothing at " + s.URL + " (404); check the path, which for many servers is /mcp",
		"/mcp/": "there is nothing at " + s.URL + "/mcp/ (404); check the path; perhaps without the slash at its end",
		"/mpc":  "there is nothing at " + s.URL + "/mpc (404); check the path",
	} {
		_, err := Finder{Client: s.Client()}.Find(t.Context(), s.URL+path)
		if credential.KindOf(err) != credential.BadAnswer || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
	nobody := &net.DNSError{Err: "no such host", Name: "mcp.exmaple.com", IsNotFound: true}
	_, err := Finder{Client: &http.Client{Transport: failing{nobody}}}.Find(t.Context(), "https://mcp.exmaple.com/mcp")
	if credential.KindOf(err) != credential.BadAnswer || !strings.HasPrefix(err.Error(), "there is no host called mcp.exmaple.com; check how it is spelt") {
		t.Errorf("an unknown host: %v", err)
	}
	nobody.IsNotFound, nobody.IsTemporary = false, true // without a network
	if _, err := (Finder{Client: &http.Client{Transport: failing{nobody}}}).Find(t.Context(), "https://mcp.exmaple.com/mcp"); credential.KindOf(err) != credential.Network {
		t.Errorf("no name server: %v", err)
	}
}
