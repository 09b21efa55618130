package bridge

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
)

// BenchmarkCall is one call through a bridge, and BenchmarkDirect the same without it: their difference is what the
// bridge adds, pipes between goroutines included.
func BenchmarkCall(b *testing.B) {
	_, in, out := benchBridge(b)
	line := call1("1", "x") + "\n"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.WriteString(in, line); err != nil {
			b.Fatal(err)
		}
		if _, err := out.ReadString('\n'); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDirect(b *testing.B) {
	f, _, _ := benchBridge(b)
	c := &http.Client{Transport: &http.Transport{}}
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.Post(f.url(), "application/json", strings.NewReader(call1("1", "x")))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}

func benchBridge(b *testing.B) (*fake, io.Writer, *bufio.Reader) {
	b.Helper()
	f := &fake{on: func(w http.ResponseWriter, _ *http.Request, _ arrival) bool {
		answer(w, result("1", "ok"))
		return true
	}}
	f.Server = httptest.NewServer(f)
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ended := make(chan error, 1)
	v := &vault{give: func(token.Need, int) (credential.Token, error) { return good("t"), nil }}
	go func() {
		ended <- Run(context.Background(), Config{URL: f.url(), Client: &http.Client{Transport: &http.Transport{}}, Tokens: v, In: inR, Out: outW})
	}()
	b.Cleanup(func() {
		inW.Close()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		f.Close()
	})
	return f, inW, bufio.NewReader(outR)
}
