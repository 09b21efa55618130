//go:build unix

package core

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
)

// A host that has closed its end is no signal that kills: the session is closed at the server, and the end is an orderly one.
func TestBridgeWithoutReader(t *testing.T) {
	bin := programs(t)
	var deleted atomic.Int32
	mcp := mcpserver.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			deleted.Add(1)
		}
		mcp.ServeHTTP(w, r)
	}))
	defer server.Close()
	cmd := program(t, bin, homeDir(t), nil, "bridge", "-v", server.URL+"/mcp")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(slow, func() { _ = cmd.Process.Kill() }).Stop()
	send := func(line string) {
		if _, err := in.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	send(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	out.Close()
	said.Close()
	send(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the bridge ended with %v", err)
	}
	if n := deleted.Load(); n != 1 {
		t.Errorf("the session was deleted %d times", n)
	}
}
