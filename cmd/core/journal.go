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

// journal takes a bridge's lines: to the log file with their time, to stderr with --verbose, else nowhere. A host may
// show what a server says on stderr as an error, or stop reading it.
type journal struct {
	mu   sync.Mutex
	file *os.File
	err  io.Writer
}

func openJournal(path string, verbose bool, stderr io.Writer) (*journal, error) {
	j := &journal{}
	if verbose {
		j.err = stderr
	}
	if path == "" {
		return j, nil
	}
	var err error
	if j.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, credential.Fail(credential.BadInput, "the log file cannot be written", err)
	}
	if err := shut(j.file); err != nil {
		call.Say(j, "warning: others can read this log: "+err.Error())
	}
	return j, nil
}

// shut closes a file that was there before to everybody else. Windows has no such modes, and what is no file, such as
// /dev/stderr, is not ours to close.
func shut(file *os.File) error {
	info, err := file.Stat()
	if err != nil || runtime.GOOS == "windows" || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return file.Chmod(0o600)
}

func (j *journal) wanted() bool { return j.file != nil || j.err != nil }

// Write takes one line.
func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		_, _ = j.file.WriteString(time.Now().UTC().Format("2006-01-02T15:04:05.000Z ") + string(line))
	}
	if j.err != nil {
		_, _ = j.err.Write(line)
	}
	return len(line), nil
}

func (j *journal) close() {
	if j.file != nil {
		_ = j.file.Close()
	}
}
