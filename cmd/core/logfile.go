package core

import (
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
)

// eventLog takes a bridge's lines: to the log file with their time, to stderr with --verbose, else nowhere. A host may
// show what a server says on stderr as an error, or stop reading it.
type eventLog struct {
	mu   sync.Mutex
	file *os.File
	err  io.Writer
}

func openLog(path string, verbose bool, stderr io.Writer) (*eventLog, error) {
	l := &eventLog{}
	if verbose {
		l.err = stderr
	}
	if path == "" {
		return l, nil
	}
	var err error
	if l.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, credential.Fail(credential.BadInput, "the log file cannot be written", err)
	}
	if err := closeToOthers(l.file); err != nil {
		call.Say(l, "warning: others can read this log: "+err.Error())
	}
	return l, nil
}

// closeToOthers closes a file that was there before to everybody else. Windows has no such modes, and what is no file, such as
// /dev/stderr, is not ours to close.
func closeToOthers(file *os.File) error {
	info, err := file.Stat()
	if err != nil || runtime.GOOS == "windows" || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return file.Chmod(0o600)
}

func (l *eventLog) wanted() bool { return l.file != nil || l.err != nil }

// Write takes one line.
func (l *eventLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_, _ = l.file.WriteString(time.Now().UTC().Format("2006-01-02T15:04:05.000Z ") + string(line))
	}
	if l.err != nil {
		_, _ = l.err.Write(line)
	}
	return len(line), nil
}

func (l *eventLog) close() {
	if l.file != nil {
		_ = l.file.Close()
	}
}
