//go:build faults

package core

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
)

// faultsKey says what goes wrong in this process, as JSON. A build without the tag "faults" does not know it.
const faultsKey = "FAULTS"

// faultFill is how many bytes the action "fill" writes at most.
const faultFill = 4 << 20

// fault is one thing that goes wrong: at the n-th decision whose trace begins with At, or at the n-th call of the keychain,
// where At is "keychain get", "keychain set" or "keychain delete".
type fault struct {
	At string
	N  int    // from 1; 0 is 1
	Do string // kill, fill (the disk); of the keychain also fail, hang (until its deadline)
}

type faultPlan struct {
	Faults []fault
	Clock  string // how far the clock of this process is off, as a Go duration

	mu    sync.Mutex
	count map[int]int
}

// injectFaults has this process go wrong as the environment says.
func injectFaults(w *wiring) {
	p := &faultPlan{count: map[int]int{}}
	if json.Unmarshal([]byte(os.Getenv(faultsKey)), p) != nil {
		return
	}
	trace, keychain := w.helper.Trace, w.helper.Keychain
	w.helper.Trace = func(text string) {
		trace(text)
		p.act(w, func(at string) bool { return strings.HasPrefix(text, at) })
	}
	w.helper.Keychain = func(ctx context.Context, store string) (helper.Keychain, error) {
		kc, err := keychain(ctx, store)
		if err != nil {
			return nil, err
		}
		return faultyKeychain{kc, func(call string) string { return p.act(w, func(at string) bool { return at == call }) }}, nil
	}
	if off, err := time.ParseDuration(p.Clock); err == nil {
		w.helper.Now = func() time.Time { return time.Now().Add(off) }
	}
}

// act does what is due at an event, and returns what is for the caller to do.
func (p *faultPlan) act(w *wiring, matches func(at string) bool) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range p.Faults {
		if !matches(f.At) {
			continue
		}
		if p.count[i]++; p.count[i] != max(f.N, 1) {
			continue
		}
		switch f.Do {
		case "kill":
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			select {}
		case "fill":
			_ = os.WriteFile(w.dir.File("filler"), make([]byte, faultFill), 0o600)
		default:
			return f.Do
		}
	}
	return ""
}

// faultyKeychain is a keychain of which calls fail.
type faultyKeychain struct {
	helper.Keychain
	act func(call string) string
}

func (k faultyKeychain) fails(ctx context.Context, call string) error {
	switch k.act("keychain " + call) {
	case "fail":
		return credential.Fail(credential.KeychainBroken, "the keychain fails for a test", nil)
	case "hang":
		ctx, cancel := context.WithTimeout(ctx, credential.KeychainCall)
		defer cancel()
		<-ctx.Done()
		return credential.Fail(credential.KeychainBroken, "the keychain did not answer in time", ctx.Err())
	}
	return nil
}

func (k faultyKeychain) Get(ctx context.Context, id string) ([]byte, error) {
	if err := k.fails(ctx, "get"); err != nil {
		return nil, err
	}
	return k.Keychain.Get(ctx, id)
}

func (k faultyKeychain) Set(ctx context.Context, id, label string, value []byte) error {
	if err := k.fails(ctx, "set"); err != nil {
		return err
	}
	return k.Keychain.Set(ctx, id, label, value)
}

func (k faultyKeychain) Delete(ctx context.Context, id string) error {
	if err := k.fails(ctx, "delete"); err != nil {
		return err
	}
	return k.Keychain.Delete(ctx, id)
}
