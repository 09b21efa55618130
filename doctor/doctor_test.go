package doctor

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestConsequencesAreNotChecked(t *testing.T) {
	answer := func(f Finding) func(context.Context) Finding { return func(context.Context) Finding { return f } }
	var told []string
	found := Run(t.Context(), []Check{
		{Name: "last", After: []string{"middle"}, Run: answer(ok("never"))},
		{Name: "clock", Behind: []string{"broken"}, Run: answer(ok("it is late"))},
		{Name: "middle", After: []string{"broken"}, Run: answer(ok("never"))},
		{Name: "broken", Run: answer(fail("it is broken", "mend it\x1b[2J"))},
	}, func(_ Check, f Finding) { told = append(told, f.Check+" "+f.Status+": "+f.Detail) })
	want := []string{"last warn: not checked: it needs middle", "clock ok: it is late", "middle warn: not checked: it needs broken", "broken fail: it is broken"}
	if strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("told %q", told)
	}
	if !Failed(found) || strings.Contains(found[3].Fix, "\x1b") {
		t.Errorf("found %+v", found)
	}
}

func TestACheckThatHangsFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	found := Run(ctx, []Check{{Name: "hanging", Run: func(context.Context) Finding { select {} }}}, func(Check, Finding) {})
	if found[0].Status != Fail || !strings.Contains(found[0].Detail, "not finished within 10s") {
		t.Errorf("found %+v", found[0])
	}
}

func TestClaims(t *testing.T) {
	for name, c := range map[string]struct {
		payload string
		scopes  []string
		covers  bool
		text    string
	}{
		"resource":      {`{"aud":"https://h.example/mcp"}`, nil, true, "audience https://h.example/mcp"},
		"with a slash":  {`{"aud":["x","https://h.example/mcp/"]}`, nil, true, "audience x, https://h.example/mcp/"},
		"origin":        {`{"aud":"https://h.example"}`, nil, true, "audience https://h.example"},
		"other":         {`{"aud":"https://h.example/other","sub":"alice","scope":"a b"}`, nil, false, "audience https://h.example/other; scopes a b"},
		"Entra ID, v1":  {`{"aud":"api://app-1","scp":"Read"}`, []string{"api://app-1/Read"}, true, "audience api://app-1; scopes Read"},
		"Entra ID, v2":  {`{"aud":"app-1","iss":"https://login.microsoftonline.com/t/v2.0"}`, []string{"api://app-1/Read"}, true, "issuer https://login.microsoftonline.com/t/v2.0; audience app-1"},
		"another app":   {`{"aud":"app-2"}`, []string{"api://app-1/Read"}, false, "audience app-2"},
		"a list (Okta)": {`{"aud":"https://h.example/mcp","scp":["a","b"],"exp":4102444800}`, nil, true, "audience https://h.example/mcp; scopes a b; until 2100-01-01 00:00 UTC"},
	} {
		token := credential.NewSecret("e30." + base64.RawURLEncoding.EncodeToString([]byte(c.payload)) + ".c2ln")
		got, readable := readClaims(token)
		if !readable || got.String() != c.text {
			t.Errorf("%s: %v %q", name, readable, got)
		}
		if got.covers("https://h.example/mcp", "https://h.example/mcp", "", c.scopes) != c.covers {
			t.Errorf("%s: covers %v", name, !c.covers)
		}
	}
	for _, opaque := range []string{"at_1234", "a.b", "a.b.c", "e30.bm90IGpzb24.c2ln"} {
		if _, readable := readClaims(credential.NewSecret(opaque)); readable {
			t.Errorf("%s is no JWT", opaque)
		}
	}
}

func TestClocks(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for offset, want := range map[time.Duration]string{
		0: OK, 59 * time.Second: OK, 2 * time.Minute: Warn, -2 * time.Minute: Warn, 5 * time.Minute: Fail, -time.Hour: Fail,
	} {
		var c clocks
		c.add(now.Add(offset), now)
		if f := c.check(t.Context()); f.Status != want {
			t.Errorf("%s: %+v", offset, f)
		}
	}
	var one clocks // of three servers one is wrong
	for _, offset := range []time.Duration{0, time.Second, time.Hour} {
		one.add(now.Add(offset), now)
	}
	if f := one.check(t.Context()); f.Status != OK {
		t.Errorf("one of three: %+v", f)
	}
}

func TestShownURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://h.example/mcp":           "https://h.example/mcp",
		"https://h.example/mcp?key=s3cr3": "https://h.example/mcp?...",
		"https://u:p@h.example/mcp":       "https://h.example/mcp",
	} {
		if got := shown(raw); got != want {
			t.Errorf("%s: %s", raw, got)
		}
	}
}
