package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strconv"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/home"
)

const (
	pointerFolder = "pointers"
	pointerSize   = 16       // bytes of a question's hash
	maxPointer    = 64 << 10 // bytes; a URL has at most 4096
)

var errPointer = errors.New("its content is not a pointer")

// Pointer leads from a question to its answer. There is no secret in it.
type Pointer struct {
	URL         string // canonical server URL of the question
	SignIn      string // credential.SignInID
	TokenID     string // credential.TokenID
	Name        string // what a person calls the server
	ConfigSize  int64  // bytes of the config file it was resolved from
	ConfigMTime int64  // and its change time in nanoseconds; 0 and 0: there was none
	Notify      bool   // that file asks for a word about refreshes
}

// Lookup returns the pointer for a question: its URL, account, client, machine identity and scopes in any order. It is ErrMiss where
// nobody has answered that question yet, where the file answers another one, and for a bare origin, whose answer
// depends on all the servers that are known.
func (s *Store) Lookup(q credential.Query) (Pointer, error) {
	if q.OriginOf {
		return Pointer{}, ErrMiss
	}
	p, err := readPointer(pointerPath(s.dir, q))
	if err == nil && p.URL != q.URL {
		return Pointer{}, ErrMiss
	}
	return p, err
}

// Point remembers p as the answer to q; p.URL is taken from q. Nothing is remembered for a bare origin.
func (s *Store) Point(q credential.Query, p Pointer) error {
	if q.OriginOf {
		return nil
	}
	p.URL = q.URL
	data, err := encodePointer(p)
	if err != nil {
		return err
	}
	return write(pointerPath(s.dir, q), data, maxPointer)
}

// Unpoint removes the pointers for which drop returns true, and those that cannot be read.
func (s *Store) Unpoint(drop func(Pointer) bool) error {
	entries, err := os.ReadDir(s.dir.File(pointerFolder))
	if err != nil {
		return ignoreMissing(err)
	}
	var failed error
	for _, entry := range entries {
		if len(entry.Name()) != 2*pointerSize {
			continue // being written
		}
		path := s.dir.File(pointerFolder, entry.Name())
		if p, err := readPointer(path); err != nil || drop(p) {
			failed = errors.Join(failed, ignoreMissing(os.Remove(path)))
		}
	}
	return failed
}

func pointerPath(dir home.Dir, q credential.Query) string {
	return dir.File(pointerFolder, questionID(q))
}

// questionID names a question: 32 hexadecimal digits of a hash over its parts, each with its length in front, because
// an account label may hold any character.
func questionID(q credential.Query) string {
	var text []byte
	for _, part := range append([]string{q.URL, q.Account, q.ClientID, q.Identity, q.Tenant, q.Principal}, credential.SortScopes(q.Scopes)...) {
		text = strconv.AppendInt(text, int64(len(part)), 10)
		text = append(append(text, ':'), part...)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:pointerSize])
}

func readPointer(path string) (Pointer, error) {
	data, err := read(path, maxPointer)
	if err != nil {
		return Pointer{}, err
	}
	p, err := decodePointer(data)
	if err != nil {
		return Pointer{}, &DamagedError{Path: path, Err: err}
	}
	return p, nil
}

func encodePointer(p Pointer) ([]byte, error) {
	if err := checkIDs(p.SignIn, p.TokenID); err != nil {
		return nil, err
	}
	size, mtime := strconv.FormatInt(p.ConfigSize, 10), strconv.FormatInt(p.ConfigMTime, 10)
	return packFields(p.URL, p.SignIn, p.TokenID, size, mtime, p.Name, strconv.FormatBool(p.Notify)), nil
}

func decodePointer(data []byte) (Pointer, error) {
	f, err := unpackFields(data, 7)
	if err != nil {
		return Pointer{}, errPointer
	}
	p := Pointer{URL: f[0], SignIn: f[1], TokenID: f[2], Name: f[5], Notify: f[6] == "true"}
	var err1, err2 error
	p.ConfigSize, err1 = strconv.ParseInt(f[3], 10, 64)
	p.ConfigMTime, err2 = strconv.ParseInt(f[4], 10, 64)
	if err := errors.Join(err1, err2, checkIDs(p.SignIn, p.TokenID)); err != nil || p.URL == "" {
		return Pointer{}, errPointer
	}
	return p, nil
}
