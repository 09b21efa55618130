// Package protocol turns what a caller writes into a Request and a token into what that caller reads, one file per wire
// format. It leaves finding the token, waiting for stdin and choosing an exit code to others.
package protocol

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Format is one row of the table: a wire format that some caller speaks.
type Format struct {
	Name string // as in --input and --output
	Doc  string // one line for help

	// Decode reads one request of at most 64 KiB; nil: the format is for answers only. Its errors are of kind BadInput,
	// NotFound (git: a request for something that is never an MCP server) or whatever reading returned.
	Decode func(io.Reader) (Request, error)

	// Encode checks everything, then writes the whole answer with one Write; on any other error w is untouched. nil: the
	// format is for requests only.
	Encode func(io.Writer, Request, credential.Token) error

	// Everywhere says that its callers ask about every server there is, and offer passwords: an unknown server is not found, without
	// network, prompt or word to a person.
	Everywhere bool

	// Fail is what a get is answered with that fails with err; sentence is err and what to do about it, for people. nil, and a nil
	// Failure, leave it to the words and the exit code that everybody else gets.
	Fail func(err error, sentence string) *Failure

	Program  string // a program of this name speaks it
	Start    string // the argument that its caller starts the program with, in place of get
	Hello    string // what the program says then, before it reads
	Variable string // the environment variable that has the request, in place of stdin

	// Context reads the part of that variable that the answer depends on, for a caller that names the server itself.
	Context func(io.Reader) (Request, error)

	// List writes servers as the answer to the program's list; nil: there is no such word.
	List func(io.Writer, []string) error
}

// Failure is how a caller is told that it gets no token.
type Failure struct {
	Stdout string
	Code   int // of the process
}

// Formats returns the table, in the order of the documentation.
func Formats() []Format {
	return []Format{
		{Name: "git", Doc: "key=value lines of git credential helpers", Decode: decodeGit, Encode: encodeGit,
			Everywhere: true, Fail: failGit, Program: "git-credential-mcp"},
		{Name: "headers", Doc: "JSON object of HTTP headers, for MCP hosts", Encode: encodeHeaders},
		{Name: "token", Doc: "the access token alone, on one line", Encode: encodeToken},
		{Name: "header", Doc: "one Authorization header line, for curl -H @file", Encode: encodeHeader},
		{Name: "json", Doc: "JSON object with token, expiry, scopes, account and issuer", Decode: decodeJSON, Encode: encodeJSON},
		{Name: "env", Doc: "a line that sets an environment variable in a shell", Encode: encodeEnv},
		{Name: "azure", Doc: "what az account get-access-token prints", Encode: encodeAzure},
		{Name: "kubernetes", Doc: "ExecCredential of Kubernetes exec plugins", Decode: decodeKubernetes, Encode: encodeKubernetes,
			Variable: "KUBERNETES_EXEC_INFO", Context: kubernetesVersion},
		{Name: "bazel", Doc: "credential helper of Bazel", Decode: decodeBazel, Encode: encodeBazel, Everywhere: true, Fail: failBazel},
		{Name: "docker", Doc: "credential helper of Docker", Decode: decodeDocker, Encode: encodeDocker,
			Everywhere: true, Fail: failDocker, Program: "docker-credential-mcp", List: listDocker},
		{Name: "cargo", Doc: "credential provider of Cargo", Decode: decodeCargo, Encode: encodeCargo,
			Everywhere: true, Fail: failCargo, Program: "cargo-credential-mcp", Start: "--cargo-plugin", Hello: cargoHello},
	}
}

// ByName returns the format called name. Errors are of kind Usage and list the names.
func ByName(name string) (Format, error) {
	var names []string
	for _, f := range Formats() {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Format{}, credential.Fail(credential.Usage, "there is no such format; choose one of "+strings.Join(names, ", "), nil)
}

// Find returns the format for which is true; false where there is none.
func Find(is func(Format) bool) (Format, bool) {
	all := Formats()
	i := slices.IndexFunc(all, is)
	if i < 0 {
		return Format{}, false
	}
	return all[i], true
}

// Decode reads one request in the format called name, or where name is empty in the one that the request tells: "{"
// begins json, or bazel where it has a uri and no url; anything else is git. It returns as soon as the request is complete: for git at an empty line, for cargo at
// the end of its line, for each at the end of r. Errors are those of Format.Decode, and of kind Usage for a name that is unknown or
// for answers only; nothing is read then. The Request's Format is set on errors too, once it is known.
func Decode(r io.Reader, name string) (Request, error) {
	buffered := bufio.NewReader(r)
	if name == "" {
		var err error
		if buffered, name, err = detect(buffered); err != nil {
			return Request{Format: name}, err
		}
	}
	f, err := ByName(name)
	if err != nil {
		return Request{}, err
	}
	if f.Decode == nil {
		return Request{}, credential.Fail(credential.Usage, "the format "+name+" is for answers only; requests are "+strings.Join(requests(), ", "), nil)
	}
	skipBOM(buffered)
	req, err := f.Decode(buffered)
	req.Format = name
	return req, err
}

// requests are the names of the formats that requests come in.
func requests() (names []string) {
	for _, f := range Formats() {
		if f.Decode != nil {
			names = append(names, f.Name)
		}
	}
	return names
}

// detect finds out which format a request is in, and returns a reader that begins where r did. The name is set on errors too,
// once it is known.
func detect(r *bufio.Reader) (*bufio.Reader, string, error) {
	skipBOM(r)
	first, err := r.Peek(1)
	switch {
	case err != nil:
		return nil, "", readError(err)
	case first[0] != '{':
		return r, "git", nil
	}
	data, err := io.ReadAll(&limited{r, maxRequest})
	if err != nil {
		return nil, "json", readError(err)
	}
	name := "json"
	if top, err := readObject(bytes.NewReader(data)); err == nil && top["uri"] != nil && top["url"] == nil {
		name = "bazel"
	}
	return bufio.NewReader(bytes.NewReader(data)), name, nil
}

// maxRequest bounds a request in bytes. git's own limit for one line is 65535.
const maxRequest = 64 << 10

// limited reads at most left bytes; one more is an error of kind BadInput, so that a cut request never looks whole.
type limited struct {
	r    io.Reader
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p[:min(len(p), l.left+1)])
	if n > l.left {
		return 0, credential.Fail(credential.BadInput, "the request is longer than 64 KiB", nil)
	}
	l.left -= n
	return n, err
}

// readError gives a failed read its kind. An error that has one already (a silent stdin, say) passes unchanged.
func readError(err error) error {
	var known *credential.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, io.EOF):
		return credential.Fail(credential.BadInput, "there is no server URL, and stdin is empty", nil)
	}
	return credential.Fail(credential.Internal, "the request could not be read", err)
}

// bearer returns the text of a token that may travel as "Authorization: Bearer", and refuses every other one: a token
// bound to a key (DPoP, PoP) is useless as a bearer, and stray characters forge lines and headers.
func bearer(t credential.Token) (string, error) {
	if t.Type == credential.TypeDPoP {
		return "", credential.OnlyBridge(t.Server)
	}
	text := t.Access.Reveal()
	if t.Type != "" && !strings.EqualFold(t.Type, "Bearer") || !credential.CheckBearer(text) {
		return "", credential.Fail(credential.Hostile, "the access token is not a well-formed bearer token (RFC 6750)", nil)
	}
	return text, nil
}

func write(w io.Writer, answer string) error {
	if _, err := io.WriteString(w, answer); err != nil {
		return credential.Fail(credential.Internal, "the answer could not be written", err)
	}
	return nil
}
