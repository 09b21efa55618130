package protocol

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// dockerUser is the user name of an access token in Docker's protocol. A secret under any other name is a password.
const dockerUser = "oauth2"

// dockerNotFound is what Docker knows a missing credential by, with exit code 1 (docker-credential-helpers, credentials/error.go).
const dockerNotFound = "credentials not found in native keychain\n"

// decodeDocker reads a request of Docker's credential helper protocol: for get and erase the registry as it is, for store an object
// with ServerURL, Username and Secret.
func decodeDocker(r io.Reader) (Request, error) {
	in := bufio.NewReader(&limited{r, maxRequest})
	if first, _ := in.Peek(1); len(first) == 1 && first[0] == '{' {
		return decodeDockerStore(in)
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return Request{}, readError(err)
	}
	registry := string(bytes.TrimSpace(data))
	if registry == "" {
		return Request{}, readError(io.EOF)
	}
	q, err := dockerServer(registry)
	return Request{Query: q, Asked: registry}, err
}

func decodeDockerStore(r io.Reader) (Request, error) {
	top, err := readObject(r)
	if err != nil {
		return Request{}, err
	}
	var values [3]string
	for i, key := range []string{"ServerURL", "Username", "Secret"} {
		if values[i], err = object(top).text(key); err != nil {
			return Request{}, err
		}
	}
	if values[1] != dockerUser {
		return Request{}, bad("passwords are not kept here; sign in with mcp-credential login, or let another helper keep them (credHelpers in Docker's config.json)")
	}
	q, err := dockerServer(values[0])
	if err != nil {
		return Request{}, err
	}
	q.OriginOf = false // a token is stored for the server that is named, not for one that may be meant
	req := Request{Query: q, Asked: values[0], Access: credential.NewSecret(values[2]), Type: "Bearer"}
	return req, req.check()
}

// dockerServer is the server that a registry is: Docker names most registries by their host alone, and then any server
// there may be meant, where it is the only one.
func dockerServer(registry string) (credential.Query, error) {
	scheme, rest, found := strings.Cut(registry, "://")
	if !found {
		scheme, rest, _ = strings.Cut(credential.WithScheme(registry), "://")
		if rest == "" {
			scheme, rest = "https", registry
		}
	}
	server, err := foreignURL(scheme, rest)
	_, path, _ := strings.Cut(rest, "/")
	return credential.Query{URL: server, OriginOf: path == ""}, err
}

type dockerAnswer struct {
	ServerURL string
	Username  string
	Secret    string
}

// encodeDocker writes the token as the secret of a user whose name registries with access tokens ignore.
func encodeDocker(w io.Writer, r Request, t credential.Token) error {
	token, err := bearer(t)
	if err != nil {
		return err
	}
	asked := r.Asked
	if asked == "" {
		asked = r.Query.URL
	}
	return writeJSON(w, dockerAnswer{ServerURL: asked, Username: dockerUser, Secret: token})
}

// listDocker writes the servers that somebody has signed in to, each with the user name of its token.
func listDocker(w io.Writer, servers []string) error {
	out := map[string]string{}
	for _, server := range servers {
		out[server] = dockerUser
	}
	return writeJSON(w, out)
}

func failDocker(err error, _ string) *Failure {
	if credential.KindOf(err) != credential.NotFound {
		return nil
	}
	return &Failure{Stdout: dockerNotFound, Code: 1}
}
