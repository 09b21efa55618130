//go:build wine && linux

package windows

import (
	"bytes"
	"regexp"
	"sync"
	"testing"
	"time"
)

// watched is what a program writes, as it writes it.
type watched struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(p)
}

func (w *watched) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// await waits for a match and returns its first group.
func (w *watched) await(t *testing.T, pattern *regexp.Regexp) string {
	t.Helper()
	for end := time.After(limit); ; {
		if m := pattern.FindStringSubmatch(w.text()); m != nil {
			return m[1]
		}
		select {
		case <-end:
			t.Fatalf("no match for %s in\n%s", pattern, w.text())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
