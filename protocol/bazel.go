package protocol

import (
	"io"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// decodeBazel reads a GetCredentialsRequest of the credential helper specification (github.com/EngFlow/credential-helper-spec).
// The URI is that of one file or one gRPC method: the server is a known one that is its parent. Further keys are ignored, as the
// specification asks.
func decodeBazel(r io.Reader) (Request, error) {
	top, err := readObject(&limited{r, maxRequest})
	if err != nil {
		return Request{}, err
	}
	uri, err := object(top).text("uri")
	if err != nil {
		return Request{}, err
	}
	if uri == "" {
		return Request{}, bad("the request has no uri")
	}
	scheme, rest, found := strings.Cut(uri, "://")
	if !found {
		return Request{}, bad("the uri of the request is not a complete URI")
	}
	rest, _, _ = strings.Cut(rest, "?") // a query says nothing about whose file it is
	switch strings.ToLower(scheme) {
	case "grpcs":
		scheme = "https"
	case "grpc":
		scheme = "http"
	}
	server, err := foreignURL(scheme, rest)
	return Request{Query: credential.Query{URL: server}}, err
}

type bazelAnswer struct {
	Headers map[string][]string `json:"headers"`
	Expires string              `json:"expires,omitempty"`
}

// encodeBazel writes a GetCredentialsResponse. Bazel keeps it until expires, without that for --credential_helper_cache_duration.
func encodeBazel(w io.Writer, _ Request, t credential.Token) error {
	token, err := bearer(t)
	if err != nil {
		return err
	}
	return writeJSON(w, bazelAnswer{Headers: map[string][]string{"Authorization": {"Bearer " + token}}, Expires: rfc3339(t.Expiry)})
}

// failBazel says that an unknown server needs no credentials: an error would end the build, and a helper may be asked
// about every server there is.
func failBazel(err error, _ string) *Failure {
	if credential.KindOf(err) != credential.NotFound {
		return nil
	}
	return &Failure{Stdout: `{"headers":{}}` + "\n"}
}
