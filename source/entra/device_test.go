package entra

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	fake "github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"
	"github.com/mcp-credential/mcp-credential/source"
)

func TestDeviceKeepsThePace(t *testing.T) {
	r := newRig(t, fake.Options{DeviceInterval: 3 * time.Second})
	r.way = source.Device
	r.world.Set(func(k *fake.Behaviour) { k.Device = "approve" })
	a := r.signIn(r.target(1))
	if got := r.ping(1, a.Token.Access); got != 200 {
		t.Errorf("the server answers %d", got)
	}
	if len(r.naps) != 1 || r.naps[0] != 3*time.Second {
		t.Errorf("waited %v before the first poll", r.naps)
	}
	if said := <-r.shown; !strings.HasPrefix(said, "https://microsoft.com/devicelogin ") {
		t.Errorf("said %q", said)
	}
}

func TestDeviceSlowsDownAndSurvivesTrouble(t *testing.T) {
	r := newRig(t, fake.Options{})
	r.way = source.Device
	r.world.Set(func(k *fake.Behaviour) { k.Refuse = []fake.Refuse{{Code: 503, Times: 1}} })
	r.onNap = func(n int) {
		switch n {
		case 3:
			r.slept.Add(-int64(2 * time.Second)) // too early by the server's clock
		case 4:
			r.world.Set(func(k *fake.Behaviour) { k.Device = "approve" })
		}
	}
	if a := r.signIn(r.target(1)); r.ping(1, a.Token.Access) != 200 {
		t.Error("the token is refused")
	}
	want := []time.Duration{time.Second, 2 * time.Second, 2 * time.Second, 7 * time.Second}
	if !slices.Equal(r.naps, want) {
		t.Errorf("waited %v, want %v: the interval, more after 503, more after slow_down", r.naps, want)
	}
}

func TestDeviceEndsWithItsCode(t *testing.T) {
	r := newRig(t, fake.Options{})
	r.way = source.Device
	r.onNap = func(n int) { r.slept.Add(int64(time.Hour)) }
	_, err := r.Interactive(t.Context(), r.target(1), r)
	wantKind(t, err, credential.NoSignIn)
}

func TestDeviceInATenantCalledToken(t *testing.T) {
	r := newRig(t, fake.Options{})
	r.way = source.Device
	target := r.target(1)
	target.Endpoints.Issuer = "https://" + fake.Host + "/token.example.com/v2.0"
	_, err := r.Interactive(t.Context(), target, r)
	wantKind(t, err, credential.Misconfigured)
	if n := r.world.Stats().HTTP["POST /token.example.com/oauth2/v2.0/devicecode"]; n != 1 {
		t.Errorf("asked %v", r.world.Stats().HTTP)
	}
}

func TestDeviceDeclined(t *testing.T) {
	r := newRig(t, fake.Options{})
	r.way = source.Device
	r.world.Set(func(k *fake.Behaviour) { k.Device = "deny" })
	_, err := r.Interactive(t.Context(), r.target(1), r)
	wantKind(t, err, credential.Refused)
}
