package source

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/loopback"
)

// SignIn bounds an interactive sign-in by credential.SignInTotal, and says so where it was over before the person was.
func SignIn(ctx context.Context, do func(context.Context) (credential.Answer, error)) (credential.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, credential.SignInTotal)
	defer cancel()
	a, err := do(ctx)
	switch {
	case err == nil || ctx.Err() == nil:
		return a, err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return a, credential.Fail(credential.NoSignIn, "nobody finished the sign-in within "+credential.SignInTotal.String(), ctx.Err())
	}
	return a, credential.Fail(credential.NoSignIn, "the sign-in was given up", ctx.Err())
}

// Kept is the error of a refresh that has failed with err, and with kept where its refresh token could not be stored either.
func Kept(err, kept error) error {
	if kept == nil {
		return err
	}
	return fmt.Errorf("%w; and %w", err, kept)
}

// Listen waits for the redirect of a sign-in where its client was registered to have it, else at an address that free
// chooses. form is for answers that come as a form post.
func Listen(ctx context.Context, ui UI, t credential.Target, state string, form bool, free func(state string) (*loopback.Redirect, error)) (*loopback.Redirect, error) {
	if t.Redirect == "" {
		return free(state)
	}
	return loopback.ListenAt(ctx, state, t.Redirect, form, func() {
		ui.Tell("another sign-in waits at " + t.Redirect + "; this one begins when it is over")
	})
}

// RedirectElsewhere is where the redirect goes of a sign-in whose person pastes it: nobody listens there.
func RedirectElsewhere(t credential.Target, free func(state string) (*loopback.Redirect, error)) (string, error) {
	if t.Redirect != "" {
		return t.Redirect, nil
	}
	waiting, err := free("")
	if err != nil {
		return "", err
	}
	waiting.Close()
	return waiting.URI(), nil
}

// Browse has the person's browser opened and waits for the redirect. The redirect may come first: a browser that stays
// in the foreground is still "being opened" when its person has long signed in.
func Browse(ctx context.Context, ui UI, url string, waiting *loopback.Redirect) (loopback.Callback, error) {
	ctx, end := context.WithCancelCause(ctx)
	var opening sync.WaitGroup
	opening.Go(func() {
		if err := ui.OpenURL(ctx, url); err != nil {
			end(err)
		}
	})
	arrival, err := waiting.Wait(ctx)
	if err != nil {
		err = context.Cause(ctx)
	}
	end(nil)
	opening.Wait()
	return arrival, err
}
