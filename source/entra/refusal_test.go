package entra

import (
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	fake "github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"
)

// refusals walks the table of what a refresh may be refused with.
var refusals = map[int]struct {
	kind credential.Kind
	says string
}{
	9010010: {credential.Misconfigured, "resource parameter"},
	901002:  {credential.Misconfigured, "resource parameter"},
	90009:   {credential.Misconfigured, "client_id"},
	70011:   {credential.Misconfigured, "set scopes"},
	700022:  {credential.Misconfigured, "set scopes"},
	28000:   {credential.Misconfigured, "set scopes"},
	28002:   {credential.Misconfigured, "set scopes"},
	28003:   {credential.Misconfigured, "set scopes"},
	650053:  {credential.Misconfigured, "check scopes"},
	500011:  {credential.Misconfigured, "check scopes"},
	900144:  {credential.Misconfigured, "set scopes"},
	700082:  {credential.SignInDead, "not used"},
	70043:   {credential.SignInDead, "frequency"},
	50173:   {credential.SignInDead, "revoked"},
	50076:   {credential.StepUp, "second factor"},
	50079:   {credential.StepUp, "second factor"},
	50074:   {credential.StepUp, "second factor"},
	50078:   {credential.StepUp, "second factor"},
	53000:   {credential.Refused, "managed device"},
	53001:   {credential.Refused, "joined"},
	53002:   {credential.Refused, "administrator"},
	53003:   {credential.Refused, "Conditional Access"},
	65001:   {credential.StepUp, "consented"},
	90094:   {credential.Misconfigured, "administrator"},
	65002:   {credential.Misconfigured, "preauthorise"},
	700016:  {credential.Misconfigured, "client_id"},
	7000112: {credential.Misconfigured, "disabled"},
	7000215: {credential.Misconfigured, "secret"},
	7000218: {credential.Misconfigured, "public client flows"},
	7000222: {credential.Misconfigured, "expired"},
	700027:  {credential.Misconfigured, "certificate"},
	700213:  {credential.Misconfigured, "federated"},
	70021:   {credential.Misconfigured, "federated"},
	90002:   {credential.Misconfigured, "tenant"},
	90023:   {credential.Internal, "report"},
	50196:   {credential.Throttled, "try again later"},
	429:     {credential.Throttled, "wait"},
	503:     {credential.Network, "503"},
	123456:  {credential.StepUp, "no longer accepts"}, // a code nobody knows, with invalid_grant, ends the sign-in for no other server
}

func TestRefusals(t *testing.T) {
	r := newRig(t, fake.Options{})
	g := r.signIn(r.target(1)).Grant
	for code, want := range refusals {
		r.world.Set(func(k *fake.Behaviour) { k.Refuse = []fake.Refuse{{Code: code}} })
		r.world.ResetStats()
		_, err := r.silent(r.target(1), g)
		var e *credential.Error
		if !errors.As(err, &e) || e.Kind != want.kind || !strings.Contains(e.Text, want.says) {
			t.Errorf("%d: %v (%v), want %v that says %q", code, err, credential.KindOf(err), want.kind, want.says)
			continue
		}
		if code >= 1000 && !(strings.HasPrefix(e.Code, "AADSTS") && strings.Contains(e.Text, e.Code) && strings.Contains(e.Text, "correlation id ") && strings.Contains(e.Text, "at 20")) {
			t.Errorf("%d: no reference for the administrator in %q", code, e.Text)
		}
		for _, leak := range []string{"Trace ID", "http", g.RefreshToken.Reveal()[:20]} {
			if strings.Contains(err.Error(), leak) {
				t.Errorf("%d: %q holds %q", code, err, leak)
			}
		}
		if n := r.world.Stats().Token["refresh_token"]; code != 503 && n != 1 {
			t.Errorf("%d: %d requests", code, n)
		}
	}
}

// Each code that is known has a row in the documentation.
func TestRefusalsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/entra.md")
	if err != nil {
		t.Fatal(err)
	}
	for code := range codes {
		if !regexp.MustCompile(`(?m)^\|[^|]*\b` + strconv.Itoa(code) + `\b[^|]*\|`).Match(text) {
			t.Errorf("docs/entra.md has no row for AADSTS%d", code)
		}
	}
}

// What Entra refuses without being told to.
func TestStrictness(t *testing.T) {
	r := newRig(t, fake.Options{RefreshTTL: time.Hour})
	g := r.signIn(r.target(1)).Grant
	for name, c := range map[string]struct {
		scopes []string
		code   string
	}{
		"bare scope":    {[]string{"user_impersonation"}, "AADSTS650053"},
		"two apps":      {[]string{fake.Scope(1), fake.Scope(2)}, "AADSTS28000"},
		"unknown app":   {[]string{"api://nobody/.default"}, "AADSTS500011"},
		"unknown scope": {[]string{fake.AppURI(1) + "/root"}, "AADSTS650053"},
		"the client":    {[]string{"api://" + fake.Client + "/user_impersonation"}, "AADSTS90009"},
	} {
		target := r.target(1)
		target.Scopes = c.scopes
		_, err := r.silent(target, g)
		var e *credential.Error
		if !errors.As(err, &e) || e.Code != c.code || e.Kind != credential.Misconfigured {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	target := r.target(1)
	target.Scopes = []string{fake.AppURI(1) + "/.default", fake.Scope(1)} // AADSTS70011, were it sent so
	if _, err := r.silent(target, g); err != nil {
		t.Errorf("a mixture: %v", err)
	}
	r.world.Set(func(k *fake.Behaviour) { k.Skew = 2 * 3600e9 })
	_, err := r.silent(r.target(1), g)
	wantKind(t, err, credential.SignInDead)
}

func TestThrottled(t *testing.T) {
	r := newRig(t, fake.Options{})
	g := r.signIn(r.target(1)).Grant
	for _, c := range []struct {
		code int
		says string
		want time.Duration
	}{{429, "17", 17 * time.Second}, {503, "3", 3 * time.Second}, {429, "", 30 * time.Second}, {50196, "", 30 * time.Second}, {429, "86400", time.Hour}, {429, "120", 2 * time.Minute}} {
		r.world.Set(func(k *fake.Behaviour) { k.Refuse = []fake.Refuse{{Code: c.code, RetryAfter: c.says}} })
		_, err := r.silent(r.target(1), g)
		wantKind(t, err, credential.Throttled)
		var e *credential.Error
		if !errors.As(err, &e) || e.RetryAfter != c.want {
			t.Errorf("%d with %q: %v, want %v", c.code, c.says, e.RetryAfter, c.want)
		}
	}
}

func TestTroubleIsTriedAgain(t *testing.T) {
	r := newRig(t, fake.Options{})
	g := r.signIn(r.target(1)).Grant
	r.world.Set(func(k *fake.Behaviour) { k.Refuse = []fake.Refuse{{Code: 500, Times: 2}} })
	if _, err := r.silent(r.target(1), g); err != nil {
		t.Fatal(err)
	}
	_ = r.world.Close()
	_, err := r.silent(r.target(1), g)
	wantKind(t, err, credential.Network)
}
