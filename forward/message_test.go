package forward

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

const server = "https://mcp.example.com/mcp"

func fullRequest() Request {
	return Request{
		Server: server, Account: "work", ClientID: "client", Scopes: []string{"a"}, Need: []string{"b"}, Claims: `{"x":1}`,
		Force: true, Refused: "0123456789abcdef", Prompt: true, Wait: 7 * time.Second,
	}
}

func TestRequestsComeBackAsTheyWere(t *testing.T) {
	for _, want := range []Request{{Server: server}, fullRequest()} {
		got, err := decodeRequest(want.encode())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}

func TestWaitsAreBounded(t *testing.T) {
	for ms, want := range map[string]time.Duration{"-5": 0, "1500": 1500 * time.Millisecond, "9000000000000000": credential.RefreshTotal} {
		got, err := decodeRequest([]byte(`{"v":1,"op":"get","server":"` + server + `","wait_ms":` + ms + `}`))
		if err != nil || got.Wait != want {
			t.Errorf("%s: %v, %v, want %v", ms, got.Wait, err, want)
		}
	}
}

func TestOnlyGetIsAnswered(t *testing.T) {
	for _, op := range []string{"", "list", "login", "approve", "logout", "store", "erase", "GET", "get "} {
		_, err := decodeRequest([]byte(`{"v":1,"op":"` + op + `","server":"` + server + `"}`))
		if credential.KindOf(err) != credential.Usage || !strings.Contains(err.Error(), "answers get and nothing else") {
			t.Errorf("%q: %v", op, err)
		}
	}
}

func TestQuestionsThatCannotBeAreRefused(t *testing.T) {
	long := strings.Repeat("x", maxClaims+1)
	for _, text := range []string{
		"", "{", "[]", "null", `{"v":1}`, `{"v":2,"op":"get","server":"` + server + `"}`, `{"v":"1"}`,
		`{"v":1,"op":"get","server":"http://mcp.example.com/mcp"}`,
		`{"v":1,"op":"get","server":"HTTPS://mcp.example.com/mcp"}`,
		`{"v":1,"op":"get","server":"https://mcp.example.com/mcp","account":"a\u0007"}`,
		`{"v":1,"op":"get","server":"https://mcp.example.com/mcp","client_id":"a\n"}`,
		`{"v":1,"op":"get","server":"https://mcp.example.com/mcp","scopes":["a b"]}`,
		`{"v":1,"op":"get","server":"https://mcp.example.com/mcp","need":[""]}`,
		`{"v":1,"op":"get","server":"https://mcp.example.com/mcp","refused":"a\u001b"}`,
		`{"v":1,"op":"get","server":"https://mcp.example.com/mcp","claims":"` + long + `"}`,
		`{"v":1,"op":"get","server":"https://mcp.example.com/mcp","scopes":[` + strings.Repeat(`"a",`, maxScopes) + `"a"]}`,
	} {
		if _, err := decodeRequest([]byte(text)); credential.KindOf(err) != credential.BadInput && credential.KindOf(err) != credential.Usage {
			t.Errorf("%.80s: %v", text, err)
		}
	}
}

// The clocks of the two machines differ by an hour: spans say the same at both.
func TestTokensKeepTheirSpans(t *testing.T) {
	there := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	here := there.Add(-time.Hour)
	sent := credential.Token{
		Access: credential.NewSecret("abc.def"), Type: "Bearer", Obtained: there.Add(-time.Minute), Expiry: there.Add(time.Hour), RefreshAt: there.Add(40 * time.Minute),
		Scopes: []string{"a"}, Account: "ann", Issuer: "https://id.example.com", Resource: server, Server: server,
	}
	got, err := decodeAnswer(encodeAnswer(sent, nil, there), server, here)
	want := sent
	want.Obtained, want.Expiry, want.RefreshAt = here.Add(-time.Minute), here.Add(time.Hour), here.Add(40*time.Minute)
	if err != nil || !got.Access.Equal(sent.Access) {
		t.Fatalf("%v", err)
	}
	got.Access = want.Access
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	sent.Expiry, sent.RefreshAt = time.Time{}, time.Time{}
	if got, err = decodeAnswer(encodeAnswer(sent, nil, there), server, here); err != nil || !got.Expiry.IsZero() || !got.RefreshAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

// A token that is bound to a key is worth nothing without it, and the key does not cross.
func TestBoundTokensDoNotCross(t *testing.T) {
	for _, bound := range []credential.Token{
		{Access: credential.NewSecret("abc"), Type: credential.TypeDPoP, Server: server}, {Access: credential.NewSecret("abc"), Type: "Bearer", Key: credential.NewSecret("key"), Server: server},
	} {
		if _, err := decodeAnswer(encodeAnswer(bound, nil, time.Now()), server, time.Now()); credential.KindOf(err) != credential.KeyBound {
			t.Errorf("%v", err)
		}
	}
}

func TestEveryKindOfErrorCrosses(t *testing.T) {
	kinds := credential.Kinds()
	if len(kinds) < 10 {
		t.Fatal("too few kinds")
	}
	for _, kind := range kinds {
		sent := &credential.Error{Kind: kind, Text: "it is\nso", Account: "work", Scopes: []string{"a"}, Code: "code", RetryAfter: 3 * time.Second, Claims: "c"}
		_, err := decodeAnswer(encodeAnswer(credential.Token{}, sent, time.Now()), server, time.Now())
		var got *credential.Error
		want := credential.Error{Kind: kind, Text: "it is?so", Server: server, Account: "work", Scopes: []string{"a"}, Code: "code", RetryAfter: 3 * time.Second}
		if !errors.As(err, &got) || !reflect.DeepEqual(*got, want) {
			t.Errorf("%v: %+v", kind, got)
		}
	}
}

func TestAnswersThatCannotBeAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "hello", "{}", `{"v":1}`, `{"v":2,"token":{"access_token":"a"}}`, `{"v":1,"token":{"access_token":"a"},"error":{"kind":"network","text":"x"}}`,
		`{"v":1,"token":{"access_token":""}}`, `{"v":1,"token":{"access_token":"a b"}}`, `{"v":1,"token":{"access_token":"a\r\nX: y"}}`,
		`{"v":1,"token":{"access_token":"a","scopes":["a\nb"]}}`, `{"v":1,"error":{"kind":"no-such-kind","text":"x"}}`, `{"v":1,"error":{"kind":"network"}}`,
	} {
		if _, err := decodeAnswer([]byte(text), server, time.Now()); credential.KindOf(err) != credential.BadAnswer {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(fullRequest().encode())
	f.Add([]byte(`{"v":1,"op":"get","server":"https://h/","wait_ms":1e3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRequest(data)
		if err != nil {
			return
		}
		again, err := decodeRequest(r.encode())
		if err != nil || again.Server != r.Server || again.Wait != r.Wait || again.Claims != r.Claims && !strings.ContainsRune(again.Claims, '\ufffd') {
			t.Errorf("%+v, then %+v: %v", r, again, err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	f.Add(encodeAnswer(credential.Token{Access: credential.NewSecret("abc"), Expiry: now.Add(time.Hour)}, nil, now))
	f.Add(encodeAnswer(credential.Token{}, credential.Fail(credential.NoSignIn, "nobody", nil), now))
	f.Fuzz(func(t *testing.T, data []byte) {
		token, err := decodeAnswer(data, server, now)
		if err != nil {
			if token.Access.IsZero() {
				return
			}
			t.Fatal("a token and an error")
		}
		again, err := decodeAnswer(encodeAnswer(token, nil, now), server, now)
		if err != nil || !again.Access.Equal(token.Access) || !again.Expiry.Equal(token.Expiry) || !again.RefreshAt.Equal(token.RefreshAt) {
			t.Errorf("%+v, then %+v: %v", token, again, err)
		}
	})
}
