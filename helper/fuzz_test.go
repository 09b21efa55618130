package helper

import (
	"bytes"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

// A keychain item is what we wrote, or an error of kind KeychainBroken: people and other programs can change it.
func FuzzGrant(f *testing.F) {
	whole, err := encodeGrant(credential.Grant{RefreshToken: credential.NewSecret("rt"), ClientSecret: credential.NewSecret("cs"), DataKey: newDataKey()})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{whole, whole[:len(whole)-3], []byte(`{"v":1,"dk":"AAAA"}`), []byte(`{"v":2}`), []byte(`{"v":1,"rt":1}`), []byte("null"), []byte("[]"), {}, {0xff}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := decodeGrant(data)
		if err != nil {
			if credential.KindOf(err) != credential.KeychainBroken {
				t.Fatalf("%v of kind %v", err, credential.KindOf(err))
			}
			return
		}
		again, err := encodeGrant(g)
		if err != nil {
			t.Fatal(err)
		}
		g2, err := decodeGrant(again)
		if err != nil || !g2.RefreshToken.Equal(g.RefreshToken) || !g2.ClientSecret.Equal(g.ClientSecret) || !bytes.Equal([]byte(g2.DataKey.Reveal()), []byte(g.DataKey.Reveal())) {
			t.Fatalf("it comes back as another one, error %v", err)
		}
	})
}
