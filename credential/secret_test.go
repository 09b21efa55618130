package credential

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const hidden = "s3cr3t-Text"

// holder keeps secrets where formatters reach by reflection only.
type holder struct {
	Open   Secret
	closed Secret
	list   []Secret
	table  map[string]Secret
	keys   map[Secret]bool
	inner  struct{ deep *Secret }
	any    any
}

func secrets() map[string]any {
	s := NewSecret(hidden)
	h := holder{Open: s, closed: s, list: []Secret{s}, table: map[string]Secret{"k": s}, keys: map[Secret]bool{s: true}, any: s}
	h.inner.deep = &s
	return map[string]any{
		"secret": s, "pointer": &s, "slice": []Secret{s}, "map": map[string]Secret{"k": s}, "key": map[Secret]string{s: "v"},
		"struct": h, "struct pointer": &h, "token": Token{Access: s}, "grant": Grant{RefreshToken: s, ClientSecret: s, Key: s, DataKey: s}, "target": &Target{Secret: s},
		"answer": Answer{Token: Token{Access: s}, Grant: Grant{RefreshToken: s}},
		"error":  Fail(Internal, "it failed", fmt.Errorf("with %v, %s and %#v", s, h.closed, h)),
	}
}

// silent fails where text gives the secret away: as it is, in hexadecimal, or as a list of bytes.
func silent(t *testing.T, where, text string) {
	t.Helper()
	if text == "" {
		t.Errorf("%s printed nothing", where)
	}
	for _, form := range []string{hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden), fmt.Sprint([]byte(hidden))} {
		if strings.Contains(text, form) {
			t.Errorf("%s printed the secret: %s", where, text)
		}
	}
}

func TestSecretIsNeverFormatted(t *testing.T) {
	for name, value := range secrets() {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%e", "%t", "%p", "%c", "%U", "%!", "%20.3s"} {
			silent(t, name+" "+verb, fmt.Sprintf(verb, value))
		}
		silent(t, name+" Sprint", fmt.Sprint(value))
		silent(t, name+" Sprintln", fmt.Sprintln(value, value))
	}
}

func TestSecretIsNeverLogged(t *testing.T) {
	for name, value := range secrets() {
		var out bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			out.Reset()
			log := slog.New(h)
			log.With("a", value).WithGroup("g").Info(fmt.Sprint(value), "b", value, slog.Any("c", value), slog.Group("d", "e", value))
			silent(t, fmt.Sprintf("%s %T", name, h), out.String())
		}
	}
}

func TestSecretIsNeverMarshalled(t *testing.T) {
	for name, value := range secrets() {
		text, err := json.MarshalIndent(value, "", " ")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		silent(t, name+" JSON", string(text))
	}
}

func TestSecretRedaction(t *testing.T) {
	s := NewSecret(hidden)
	for _, got := range []string{fmt.Sprint(s), fmt.Sprintf("%q", s), fmt.Sprintf("%#v", s), s.String(), s.GoString(), fmt.Sprint(NewSecret(""))} {
		if got != "[redacted]" {
			t.Errorf("got %s", got)
		}
	}
}

func TestSecretValue(t *testing.T) {
	s, same, other, none := NewSecret(hidden), NewSecret(hidden), NewSecret("x"), NewSecret("")
	if s.Reveal() != hidden || none.Reveal() != "" || s.IsZero() || !none.IsZero() || none != (Secret{}) {
		t.Error("a Secret does not keep its text")
	}
	if !s.Equal(same) || s.Equal(other) || s.Equal(none) || !none.Equal(Secret{}) {
		t.Error("Equal does not compare texts")
	}
	if f := s.Fingerprint(); len(f) != 16 || f != same.Fingerprint() || f == other.Fingerprint() || none.Fingerprint() != "" {
		t.Errorf("fingerprints %q, %q", f, none.Fingerprint())
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("cause")
	err := Fail(Network, "no answer", cause)
	if err.Error() != "no answer: cause" || !errors.Is(err, cause) || Fail(Usage, "text", nil).Error() != "text" {
		t.Errorf("got %q", err)
	}
	if KindOf(fmt.Errorf("refresh: %w", err)) != Network || KindOf(cause) != Internal || KindOf(nil) != Internal {
		t.Error("KindOf does not find the kind")
	}
	if outer := Fail(StillRefreshing, "outer", err); KindOf(outer) != StillRefreshing {
		t.Error("KindOf does not take the outermost kind")
	}
}
