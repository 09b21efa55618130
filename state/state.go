// Package state keeps what is remembered without being secret: which servers a person approved, which sign-ins serve
// them and what happened to those last. Records are small JSON files in the home directory, replaced atomically. It leaves secrets
// to the keychain, access tokens to the cache and every decision to helper; the caller holds the lock that belongs to
// a record while it changes one.
package state

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
	"github.com/mcp-credential/mcp-credential/internal/home"
)

// maxRecord bounds a record file in bytes.
const maxRecord = 256 << 10

// ErrNone says that there is no such record.
var ErrNone = errors.New("no such record")

// Server is an MCP server that a person has approved: who it is, which authorization server speaks for it and what
// it may be given.
type Server struct {
	URL        string    `json:"url"`      // canonical
	Name       string    `json:"name"`     // what a person calls it
	Resource   string    `json:"resource"` // RFC 8707, byte-exact
	Issuer     string    `json:"issuer"`
	Source     string    `json:"source"` // which token source: oauth, stored, ...
	ApprovedAt time.Time `json:"approved_at"`
	ApprovedBy string    `json:"approved_by"` // login, browser or store
	Accounts   []Account `json:"accounts"`    // the first one is the default
}

// Account ties a label to the sign-in that serves it and to what was approved for it.
type Account struct {
	Label  string   `json:"label"` // as --account names it; empty for a sign-in without a label
	SignIn string   `json:"sign_in"`
	Scopes []string `json:"scopes"` // approved
}

// Same reports whether both are served by the same sign-in.
func (a Account) Same(b Account) bool { return a.Label == b.Label && a.SignIn == b.SignIn }

// Account returns the account with the label; an empty label means the default one.
func (s Server) Account(label string) (Account, bool) {
	for _, a := range s.Accounts {
		if label == "" || a.Label == label {
			return a, true
		}
	}
	return Account{}, false
}

// SignIn is the public half of a sign-in: whose refresh token it is, and what happened to it last.
type SignIn struct {
	ID              string                 `json:"id"`
	Source          string                 `json:"source"`
	Keychain        string                 `json:"keychain"`                  // machine name of the keychain that holds the secret half
	Tier            string                 `json:"tier"`                      // what that keychain is called
	PassphraseFile  string                 `json:"passphrase_file,omitempty"` // that opened it when the sign-in was made, where it has one
	ClientID        string                 `json:"client_id"`
	Registered      bool                   `json:"registered,omitempty"`   // the client was registered dynamically
	Redirect        string                 `json:"redirect_uri,omitempty"` // that the client was registered with; empty: any port
	AuthMethod      string                 `json:"auth_method"`
	Account         string                 `json:"account"`
	User            string                 `json:"user,omitempty"`    // what the identity provider calls the person
	Subject         string                 `json:"subject,omitempty"` // who the person is there for good
	Resource        string                 `json:"resource"`          // what the refresh token is bound to; empty: not bound
	Unbound         bool                   `json:"unbound,omitempty"` // the refresh token serves every approved server (Entra ID): see For
	Proof           bool                   `json:"proof,omitempty"`   // its tokens are bound to a key (RFC 9449), which the bridge proves
	Endpoints       credential.Endpoints   `json:"endpoints"`
	Requested       []string               `json:"requested"`
	Granted         []string               `json:"granted"`
	NoRefresh       bool                   `json:"no_refresh,omitempty"` // there is no refresh token
	IDToken         bool                   `json:"id_token,omitempty"`   // what is kept is the ID token, with which a provider vouches for the person elsewhere
	Created         time.Time              `json:"created"`
	RefreshObtained time.Time              `json:"refresh_obtained,omitzero"`
	RefreshExpires  time.Time              `json:"refresh_expires,omitzero"` // known end of the refresh token
	LastRefresh     time.Time              `json:"last_refresh,omitzero"`
	Expiry          time.Time              `json:"token_expiry,omitzero"` // of the newest access token; zero: unknown
	Replaced        Replaced               `json:"replaced,omitzero"`
	LastError       *Failure               `json:"last_error,omitempty"` // of the last attempt; nil after a success
	Attempts        int                    `json:"attempts"`             // finished attempts to refresh, good or bad
	Failures        int                    `json:"failures"`             // failed attempts since the last success
	NextTry         time.Time              `json:"next_try,omitzero"`    // no attempt before this
	Claims          string                 `json:"claims,omitempty"`     // what the next sign-in has to prove (Entra ID)
	Dead            *Dead                  `json:"dead,omitempty"`
	PerToken        map[string]TokenRecord `json:"fares,omitempty"` // of an unbound sign-in, by token
	token           string                 // that For was asked for
}

// Replaced says when a refresh last took the place of an access token that a server had refused, and for which claims.
type Replaced struct {
	At     time.Time `json:"at"`
	Claims string    `json:"claims,omitempty"`
}

// TokenRecord is what is known of the refreshes for one token of an unbound sign-in.
type TokenRecord struct {
	Expiry    time.Time `json:"token_expiry,omitzero"`
	Replaced  Replaced  `json:"replaced,omitzero"`
	LastError *Failure  `json:"last_error,omitempty"`
	Attempts  int       `json:"attempts"`
	Failures  int       `json:"failures"`
	NextTry   time.Time `json:"next_try,omitzero"`
	Claims    string    `json:"claims,omitempty"`
}

// For returns the record as it is for one token. A sign-in that is bound to its resource has no other one. An unbound one
// serves many servers, and what goes wrong for one of them (consent, a policy, a misspelt scope) holds up no other: only
// its end and a request to wait are everybody's.
func (s SignIn) For(tokenID string) SignIn {
	if !s.Unbound {
		return s
	}
	s.token = tokenID
	f := s.PerToken[tokenID]
	if !f.NextTry.Before(s.NextTry) {
		s.NextTry, s.LastError = f.NextTry, f.LastError
	}
	s.Attempts, s.Failures, s.Claims, s.Expiry, s.Replaced = f.Attempts, f.Failures, f.Claims, f.Expiry, f.Replaced
	return s
}

// Merged puts a record that For gave out, changed, back into the one that is stored; all: NextTry and LastError are
// everybody's.
func (s SignIn) Merged(all bool) SignIn {
	if s.token == "" {
		return s
	}
	records := s.tokenRecords()
	records[s.token] = TokenRecord{
		Expiry: s.Expiry, Replaced: s.Replaced, LastError: s.LastError, Attempts: s.Attempts, Failures: s.Failures, NextTry: s.NextTry, Claims: s.Claims,
	}
	if !all {
		s.NextTry, s.LastError = time.Time{}, nil
	}
	s.PerToken, s.Attempts, s.Failures, s.Claims, s.token = records, 0, 0, "", ""
	s.Expiry, s.Replaced = time.Time{}, Replaced{}
	return s
}

func (s SignIn) tokenRecords() map[string]TokenRecord {
	records := map[string]TokenRecord{}
	for token, f := range s.PerToken {
		records[token] = f
	}
	return records
}

// Expires is the stored record once a token with this expiry is cached; zero: unknown.
func (s SignIn) Expires(tokenID string, at time.Time) SignIn {
	if !s.Unbound {
		s.Expiry = at
		return s
	}
	records := s.tokenRecords()
	f := records[tokenID]
	f.Expiry = at
	records[tokenID], s.PerToken = f, records
	return s
}

// Work names the lock of what refreshes: one token of an unbound sign-in, else the sign-in.
func (s SignIn) Work() string {
	if s.token != "" {
		return s.token
	}
	return s.ID
}

// Resting reports whether no attempt may begin at now. What a clock has said that was ahead of now's does not count.
func (s SignIn) Resting(now time.Time) bool {
	return now.Before(s.NextTry) && (s.LastError == nil || !now.Before(s.LastError.At.Add(-credential.ClockTolerance)))
}

// Failure is how an attempt ended.
type Failure struct {
	Kind string    `json:"kind"` // credential.Kind.String
	Text string    `json:"text"`
	Code string    `json:"code,omitempty"`
	At   time.Time `json:"at"`
}

// Err turns the record back into the error it was made from.
func (f *Failure) Err() *credential.Error {
	return &credential.Error{Kind: credential.KindNamed(f.Kind), Text: f.Text, Code: f.Code}
}

// Dead marks a sign-in whose refresh token was refused. The mark holds for that refresh token only.
type Dead struct {
	Reason      string    `json:"reason"`
	At          time.Time `json:"at"`
	Fingerprint string    `json:"fingerprint"` // credential.Secret.Fingerprint of the refused refresh token
}

// Records opens the records of one home directory. It may be used by any number of processes.
type Records struct{ Dir home.Dir }

// Server returns the record of a canonical URL, or ErrNone.
func (b Records) Server(url string) (Server, error) {
	var s Server
	err := b.read(&s, "servers", fileName(url))
	if err == nil && s.URL != url {
		return Server{}, ErrNone
	}
	return s, err
}

// PutServer replaces the record of s.URL.
func (b Records) PutServer(s Server) error { return b.write(s, "servers", fileName(s.URL)) }

// DropServer forgets the server; an unknown one is no error.
func (b Records) DropServer(url string) error { return b.remove("servers", fileName(url)) }

// Servers returns every record, in the order of their URLs. Unreadable ones are left out and named in the error.
func (b Records) Servers() ([]Server, error) {
	all, err := readAll[Server](b, "servers")
	slices.SortFunc(all, func(x, y Server) int { return strings.Compare(x.URL, y.URL) })
	return all, err
}

// SignIn returns the record of a sign-in, or ErrNone.
func (b Records) SignIn(id string) (SignIn, error) {
	var s SignIn
	err := b.read(&s, "signins", id+".json")
	return s, err
}

// PutSignIn replaces the record of s.ID.
func (b Records) PutSignIn(s SignIn) error { return b.write(s, "signins", s.ID+".json") }

// DropSignIn forgets the record; an unknown one is no error.
func (b Records) DropSignIn(id string) error { return b.remove("signins", id+".json") }

// SignIns returns every record, in the order of their identifiers.
func (b Records) SignIns() ([]SignIn, error) { return readAll[SignIn](b, "signins") }

// Serves returns the servers that the sign-in answers for.
func (b Records) Serves(signIn string) ([]Server, error) {
	all, err := b.Servers()
	out := all[:0]
	for _, s := range all {
		for _, a := range s.Accounts {
			if a.SignIn == signIn {
				out = append(out, s)
				break
			}
		}
	}
	return out, err
}

// LockPath is where the lock file of a record lives; the folder is made when missing.
func (b Records) LockPath(name string) (string, error) {
	if err := b.folder("locks"); err != nil {
		return "", b.unusable(err)
	}
	return b.Dir.File("locks", name+".lock"), nil
}

func fileName(url string) string {
	sum := sha256.Sum256([]byte(url))
	return hex.EncodeToString(sum[:10]) + ".json"
}

func (b Records) folder(name string) error {
	if err := b.Dir.Create(); err != nil {
		return err
	}
	return os.MkdirAll(b.Dir.File(name), 0o700)
}

func (b Records) read(into any, folder, file string) error {
	data, err := atomicfile.Read(b.Dir.File(folder, file), maxRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNone
	}
	if err == nil && json.Unmarshal(data, into) != nil {
		err = errors.New("it is damaged")
	}
	if err != nil {
		return credential.Fail(credential.BadHome, "the record "+b.Dir.File(folder, file)+" cannot be used", err)
	}
	return nil
}

// leftover is the age at which a temporary file has lost its writer.
const leftover = time.Hour

func (b Records) write(v any, folder, file string) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = b.folder(folder)
	}
	if err == nil {
		_ = atomicfile.Sweep(b.Dir.File(folder), leftover)
		err = atomicfile.Write(b.Dir.File(folder, file), append(data, '\n'))
	}
	if err != nil {
		return credential.Fail(credential.Internal, "cannot write a record below "+b.Dir.Path, err)
	}
	return nil
}

func (b Records) remove(folder, file string) error {
	err := os.Remove(b.Dir.File(folder, file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return credential.Fail(credential.Internal, "cannot remove a record below "+b.Dir.Path, err)
	}
	return nil
}

func readAll[T any](b Records, folder string) ([]T, error) {
	entries, err := os.ReadDir(b.Dir.File(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, credential.Fail(credential.BadHome, "the folder "+b.Dir.File(folder)+" cannot be read", err)
	}
	var out []T
	var bad []error
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		var v T
		switch err := b.read(&v, folder, e.Name()); {
		case err == nil:
			out = append(out, v)
		case !errors.Is(err, ErrNone): // removed since the folder was read
			bad = append(bad, err)
		}
	}
	return out, errors.Join(bad...)
}
