package credential

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// living is a token that was obtained at noon and lives for life.
func living(life time.Duration) Token {
	return Token{Access: NewSecret("x"), Obtained: noon, Expiry: noon.Add(life), RefreshAt: RefreshWindow(noon, noon.Add(life), 0)}
}

func TestValid(t *testing.T) {
	cases := []struct {
		name  string
		token Token
		after time.Duration // noon
		want  bool
	}{
		{"fresh", living(time.Hour), 0, true},
		{"before the skew", living(time.Hour), time.Hour - ExpirySkew - 1, true},
		{"inside the skew", living(time.Hour), time.Hour - ExpirySkew, false},
		{"expired", living(time.Hour), time.Hour, false},
		{"clock an hour ahead", living(time.Hour), 2 * time.Hour, false},
		{"clock an hour back", living(time.Hour), -time.Hour, false},
		{"clock a little back", living(time.Hour), -ClockTolerance, true},
		{"clock back too far", living(time.Hour), -ClockTolerance - 1, false},
		{"5 s, fresh", living(5 * time.Second), 0, true},
		{"5 s, in its life", living(5 * time.Second), 4499 * time.Millisecond, true},
		{"5 s, in its last tenth", living(5 * time.Second), 4500 * time.Millisecond, false},
		{"100 s, whole skew", living(100 * time.Second), 90 * time.Second, false},
		{"no life", living(0), 0, false},
		{"no expiry", Token{Access: NewSecret("x"), Obtained: noon}, 1e6 * time.Hour, true},
		{"no token", Token{Obtained: noon, Expiry: noon.Add(time.Hour)}, 0, false},
		{"obtained at an unknown time", Token{Access: NewSecret("x"), Expiry: noon.Add(time.Hour)}, 0, true},
		{"obtained at an unknown time, skew", Token{Access: NewSecret("x"), Expiry: noon.Add(time.Hour)}, time.Hour - ExpirySkew, false},
	}
	for _, c := range cases {
		if got := c.token.Valid(noon.Add(c.after)); got != c.want {
			t.Errorf("%s: Valid = %v", c.name, got)
		}
	}
}

func TestRefreshWindow(t *testing.T) {
	cases := []struct {
		life   time.Duration
		jitter float64
		want   time.Duration // after noon
	}{
		{time.Hour, 0, 48 * time.Minute},
		{time.Hour, 0.5, 48*time.Minute - 36*time.Second},
		{5 * time.Second, 0, 4 * time.Second},
		{5 * time.Second, 0.999, 4*time.Second - 99900*time.Microsecond},
		{24 * time.Hour, 0, 24*time.Hour - 288*time.Minute},
	}
	for _, c := range cases {
		if got := RefreshWindow(noon, noon.Add(c.life), c.jitter); got.Sub(noon) != c.want {
			t.Errorf("%v, jitter %v: due after %v, want %v", c.life, c.jitter, got.Sub(noon), c.want)
		}
	}
	if !RefreshWindow(noon, time.Time{}, 0.5).IsZero() {
		t.Error("an unknown expiry has a window")
	}
}

func TestDue(t *testing.T) {
	for _, life := range []time.Duration{5 * time.Second, time.Hour} {
		token := living(life)
		at := token.RefreshAt
		if token.Due(at.Add(-1)) || !token.Due(at) || !token.Due(noon.Add(life)) {
			t.Errorf("a token of %v is not due from %v on", life, at)
		}
		if !token.Valid(at) {
			t.Errorf("a token of %v is due only when it is not valid any more", life)
		}
	}
	if (Token{Access: NewSecret("x")}).Due(noon.Add(1e6 * time.Hour)) {
		t.Error("a token without a window is due")
	}
}

func TestIDs(t *testing.T) {
	base := SignInID("https://id", "client", "me", "")
	if len(base) != 20 || base != SignInID("https://id", "client", "me", "") {
		t.Errorf("sign-in %q", base)
	}
	seen := map[string]bool{base: true}
	for _, id := range []string{
		SignInID("https://id/", "client", "me", ""), SignInID("https://id", "me", "client", ""), SignInID("https://id", "client", "", "me"),
		TokenID(base, "https://h", "https://h", nil), TokenID(base, "https://h", "", nil), TokenID(base, "https://h", "https://h", []string{"a"}),
	} {
		if seen[id] {
			t.Errorf("%s names two things", id)
		}
		seen[id] = true
	}
	if TokenID(base, "s", "r", []string{"b", "a", "b"}) != TokenID(base, "s", "r", []string{"a", "b"}) {
		t.Error("the order of scopes changes a token's name")
	}
}
