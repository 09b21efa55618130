//go:build unix

package forward

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// home is a home directory with a folder for sockets; short, because names of sockets have at most 107 bytes.
func home(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fwd")
	if err == nil {
		err = os.Mkdir(Folder(dir), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func client(home string, sockets ...string) Client {
	return Client{Sockets: sockets, Home: home, Now: time.Now, Trace: func(string) {}}
}

// start serves at a socket until the test ends.
func start(t *testing.T, path string, answer func(context.Context, Request) (credential.Token, error)) (end func()) {
	t.Helper()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Server{Answer: answer, Now: time.Now}.Serve(ctx, l) }()
	end = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		done <- nil
	}
	t.Cleanup(end)
	return end
}

func tokenFor(_ context.Context, r Request) (credential.Token, error) {
	return credential.Token{Access: credential.NewSecret("for-" + r.Account), Obtained: time.Now()}, nil
}

func TestManyAskAtOnce(t *testing.T) {
	dir := home(t)
	path := filepath.Join(Folder(dir), "a.sock")
	start(t, path, tokenFor)
	failed := make(chan error, 100)
	for range cap(failed) {
		go func() {
			got, err := client(dir, Find(func(string) string { return "" }, dir)...).Ask(t.Context(), Request{Server: server, Account: "work", Wait: time.Second * 20})
			if err == nil && !got.Access.Equal(credential.NewSecret("for-work")) {
				err = errors.New("another token")
			}
			failed <- err
		}()
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

// Who asks garbage, a lot, nothing or slowly gets an error or nothing, and holds up nobody.
func TestHostileAskers(t *testing.T) {
	dir := home(t)
	path := filepath.Join(Folder(dir), "a.sock")
	var asked atomic.Int32
	start(t, path, func(ctx context.Context, r Request) (credential.Token, error) {
		asked.Add(1)
		return tokenFor(ctx, r)
	})
	for name, send := range map[string][]byte{
		"garbage": []byte("\x00\xff\n"), "huge": bytes.Repeat([]byte("x"), maxLine+10), "another version": []byte("{\"v\":9}\n"), "http": []byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(send)
		_ = conn.SetReadDeadline(time.Now().Add(2 * credential.ForwardLine))
		answer, _ := readLine(conn)
		_, err = decodeAnswer(answer, server, time.Now())
		if kind := credential.KindOf(err); kind != credential.BadInput && kind != credential.Usage {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
		_ = conn.Close()
	}
	for range maxAtOnce / 2 { // silent ones, which take up turns until their time is over
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if _, err := client(dir, path).Ask(t.Context(), Request{Server: server, Wait: time.Second}); err != nil || asked.Load() != 1 {
		t.Errorf("%v; %d answers", err, asked.Load())
	}
}

// Whoever answers garbage, a lot, nothing or slowly brings an error in time.
func TestHostileAnswerers(t *testing.T) {
	dir := home(t)
	for name, c := range map[string]struct {
		answer func(conn net.Conn)
		want   credential.Kind
	}{
		"garbage":         {func(conn net.Conn) { _, _ = io.WriteString(conn, "hello\n") }, credential.BadAnswer},
		"huge":            {func(conn net.Conn) { _, _ = conn.Write(bytes.Repeat([]byte("x"), maxLine+1)) }, credential.BadAnswer},
		"half":            {func(conn net.Conn) { _, _ = io.WriteString(conn, `{"v":1`) }, credential.Network},
		"another version": {func(conn net.Conn) { _, _ = io.WriteString(conn, "{\"v\":2}\n") }, credential.BadAnswer},
		"gone":            {func(net.Conn) {}, credential.Network},
		"silent":          {func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }, credential.Network},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(Folder(dir), "h.sock")
			l, err := Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				if conn, err := l.Accept(); err == nil {
					_, _ = conn.Read(make([]byte, 1024))
					c.answer(conn)
					_ = conn.Close()
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			if _, err := client(dir, path).Ask(ctx, Request{Server: server, Wait: time.Second}); credential.KindOf(err) != c.want {
				t.Errorf("%v, want %v", err, c.want)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestTheNewestForwardThatLivesAnswers(t *testing.T) {
	dir := home(t)
	old := filepath.Join(Folder(dir), "old.sock")
	start(t, old, tokenFor)
	left := filepath.Join(Folder(dir), "left.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	past := time.Now().Add(-time.Hour)
	if err := errors.Join(os.Chmod(left, 0o600), os.Chtimes(old, past, past)); err != nil {
		t.Fatal(err)
	}
	sockets := Find(func(string) string { return "" }, dir)
	if len(sockets) != 2 || sockets[0] != left {
		t.Fatalf("%v", sockets)
	}
	if _, err := client(dir, sockets...).Ask(t.Context(), Request{Server: server, Account: "x", Wait: time.Second}); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket that nobody listens at is still there: %v", err)
	}
}

func TestAnEndedForward(t *testing.T) {
	dir := home(t)
	path := filepath.Join(Folder(dir), "a.sock")
	start(t, path, tokenFor)()
	_, err := client(dir, path).Ask(t.Context(), Request{Server: server, Wait: time.Second})
	if credential.KindOf(err) != credential.Network || err.Error() != Ended(server).Error() {
		t.Errorf("%v", err)
	}
}

func TestAnAnswerUnderWayEndsWithTheForward(t *testing.T) {
	dir := home(t)
	path := filepath.Join(Folder(dir), "a.sock")
	asked := make(chan struct{})
	end := start(t, path, func(ctx context.Context, _ Request) (credential.Token, error) {
		close(asked)
		<-ctx.Done()
		return credential.Token{}, ctx.Err()
	})
	failed := make(chan error, 1)
	go func() {
		_, err := client(dir, path).Ask(t.Context(), Request{Server: server, Wait: 30 * time.Second})
		failed <- err
	}()
	<-asked
	end()
	if err := <-failed; credential.KindOf(err) != credential.Network {
		t.Errorf("%v", err)
	}
}
