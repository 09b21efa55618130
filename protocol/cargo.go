package protocol

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// cargoHello is what the provider says first: the versions of the protocol that it speaks.
const cargoHello = `{"v":[1]}` + "\n"

// errCargoOperation is a request for something else than a token.
var errCargoOperation = errors.New("cargo asks for something else than a token")

// decodeCargo reads one request of Cargo's credential provider protocol: one line, after which Cargo keeps the pipe open and waits. The
// server is the registry's index or a known one that is its parent.
func decodeCargo(r io.Reader) (Request, error) {
	line, err := bufio.NewReader(&limited{r, maxRequest}).ReadString('\n')
	if err != nil && (err != io.EOF || line == "") {
		return Request{}, readError(err)
	}
	top, err := readObject(strings.NewReader(line))
	if err != nil {
		return Request{}, err
	}
	if string(top["v"]) != "1" {
		return Request{}, bad("cargo's request is of a version that is not 1")
	}
	kind, err := object(top).text("kind")
	if err != nil {
		return Request{}, err
	}
	if kind != "get" {
		return Request{}, credential.Fail(credential.BadInput, "only cargo's get is answered; sign in and out with mcp-credential", errCargoOperation)
	}
	registry, err := object(top).object("registry")
	if err != nil {
		return Request{}, err
	}
	index, err := registry.text("index-url")
	if err != nil {
		return Request{}, err
	}
	req := Request{}
	if req.WithScheme, err = cargoArgs(top["args"]); err != nil {
		return Request{}, err
	}
	req.Query.URL, err = cargoServer(index)
	return req, err
}

// cargoArgs reads what the configuration of Cargo puts after the provider's name: nothing, or --bearer.
func cargoArgs(raw json.RawMessage) (withScheme bool, err error) {
	var args []string
	if len(raw) > 0 && json.Unmarshal(raw, &args) != nil {
		return false, bad("the args of cargo's request must be a list of strings")
	}
	if slices.ContainsFunc(args, func(a string) bool { return a != "--bearer" }) {
		return false, bad("the one argument that can follow the provider in cargo's configuration is --bearer")
	}
	return len(args) > 0, nil
}

// cargoServer is the URL of a sparse index. An index in git is read by git.
func cargoServer(index string) (string, error) {
	if index == "" {
		return "", bad("cargo's request has no index-url")
	}
	sparse, found := strings.CutPrefix(index, "sparse+")
	if !found {
		return "", notOurs()
	}
	scheme, rest, found := strings.Cut(sparse, "://")
	if !found {
		return "", bad("the index-url of cargo's request is not a complete URL")
	}
	return foreignURL(scheme, rest)
}

type cargoAnswer struct {
	Ok cargoToken
}

type cargoToken struct {
	Kind        string `json:"kind"`
	Token       string `json:"token"`
	Cache       string `json:"cache"`
	Expiration  int64  `json:"expiration,omitempty"`
	Independent bool   `json:"operation_independent"`
}

// encodeCargo writes the token as Cargo sends it: the whole value of the Authorization header, which has the scheme in front
// where the registry wants that. A token whose expiry is unknown serves one request.
func encodeCargo(w io.Writer, r Request, t credential.Token) error {
	token, err := bearer(t)
	if err != nil {
		return err
	}
	if r.WithScheme {
		token = "Bearer " + token
	}
	answer := cargoToken{Kind: "get", Token: token, Cache: "never", Independent: true}
	if !t.Expiry.IsZero() {
		answer.Cache, answer.Expiration = "expires", t.Expiry.Unix()
	}
	return writeJSON(w, cargoAnswer{answer})
}

type cargoRefusal struct {
	Err cargoError
}

type cargoError struct {
	Kind    string `json:"kind"`
	Message string `json:"message,omitempty"`
}

// failCargo answers every error: Cargo reads an answer from whoever ends well, and then asks its next provider, or shows the message.
func failCargo(err error, sentence string) *Failure {
	refusal := cargoError{Kind: "other", Message: sentence}
	switch {
	case errors.Is(err, errCargoOperation):
		refusal = cargoError{Kind: "operation-not-supported"}
	case credential.KindOf(err) == credential.NotFound:
		refusal = cargoError{Kind: "not-found"}
	}
	var out strings.Builder
	_ = writeJSON(&out, cargoRefusal{refusal}) // two strings
	return &Failure{Stdout: out.String()}
}
