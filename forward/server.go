package forward

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// maxAtOnce is how many questions are answered at the same time. More wait for their turn.
const maxAtOnce = 32

// Server answers the questions that come in at a socket.
type Server struct {
	// Answer answers one question, whose values are checked and whose server URL is canonical. Any number of goroutines call it.
	Answer func(ctx context.Context, r Request) (credential.Token, error)
	Now    func() time.Time
}

// Serve answers until ctx ends, which is no error, or nobody can connect any more. It closes l, and returns when no answer is
// under way.
func (s Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	defer l.Close()
	var answers sync.WaitGroup
	defer answers.Wait()
	defer cancel()
	turns := make(chan struct{}, maxAtOnce)
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if err != nil {
			return credential.Fail(credential.Internal, "the forward's socket cannot be served", err)
		}
		select {
		case turns <- struct{}{}:
			answers.Go(func() {
				defer func() { <-turns }()
				s.converse(ctx, conn)
			})
		case <-ctx.Done():
			_ = conn.Close()
		}
	}
}

// converse answers the one question of a connection. A peer that is slow to ask, or to take the answer, is left.
func (s Server) converse(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(credential.ForwardLine))
	data, err := readLine(conn)
	var r Request
	switch {
	case errors.Is(err, errTooLong):
		err = credential.Fail(credential.BadInput, "the question over the forward cannot be read", nil)
	case err != nil: // it looked whether anybody listens, has gone or is too slow
		return
	default:
		r, err = decodeRequest(data)
	}
	var t credential.Token
	if err == nil {
		t, err = s.Answer(ctx, r)
	}
	if ctx.Err() != nil {
		return
	}
	_ = conn.SetWriteDeadline(time.Now().Add(credential.ForwardLine))
	_, _ = conn.Write(encodeAnswer(t, err, s.Now()))
}
