// Package change writes new texts into the configuration files of other programs and takes them back: each write has a
// backup beside the file and a record that says what was changed. What a text should be is left to package host, asking to the caller.
package change

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/mcp-credential/mcp-credential/host"
	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
)

// maxFile bounds a configuration file in bytes: that of Claude Code holds its history too.
const maxFile = 64 << 20

// File is a configuration file as it is.
type File struct {
	Path    string // where it really is, symbolic links followed
	Text    []byte
	Existed bool
	mode    fs.FileMode
}

// Read reads a file; a missing one is empty.
func Read(path string) (File, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	} else if !errors.Is(err, fs.ErrNotExist) {
		return File{}, err
	}
	f := File{Path: path, mode: 0o600}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxFile) {
		err = errors.New("it is larger than 64 MiB or not a regular file")
	}
	if err == nil {
		f.Text, err = os.ReadFile(path)
	}
	if err != nil {
		return File{}, err
	}
	f.Existed, f.mode = true, info.Mode().Perm()
	return f, nil
}

// written is the record of one write.
type written struct {
	Path   string      `json:"path"`
	Backup string      `json:"backup,omitempty"` // empty: there was no file
	After  string      `json:"after"`            // SHA-256 of what was written
	Edits  []host.Edit `json:"edits"`
}

// Log is the records of writes, oldest first, in one file. Whoever uses one holds a lock.
type Log struct{ Path string }

func (l Log) read() ([]written, error) {
	data, err := atomicfile.Read(l.Path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []written
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be used: %w", l.Path, err)
	}
	return all, nil
}

func (l Log) write(all []written) error {
	if len(all) == 0 {
		err := os.Remove(l.Path)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	}
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(l.Path, append(data, '\n'))
}

// Write gives a file a new text, where it is still as it was read. It returns the path of the backup, empty where there was no
// file. The record comes first: a process that is killed in between leaves a backup and a record of a file that is as before.
func (l Log) Write(f File, text []byte, edits []host.Edit) (backup string, err error) {
	now, err := Read(f.Path)
	if err == nil && (now.Existed != f.Existed || !bytes.Equal(now.Text, f.Text)) {
		err = errors.New("it has changed meanwhile; run setup again")
	}
	if err != nil {
		return "", err
	}
	all, err := l.read()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return "", err
	}
	if f.Existed {
		if backup, err = freeName(f.Path); err == nil {
			err = replace(backup, f.Text, f.mode)
		}
		if err != nil {
			return "", err
		}
	}
	if err := l.write(append(all, written{Path: f.Path, Backup: backup, After: sum(text), Edits: edits})); err != nil {
		return backup, err
	}
	return backup, replace(f.Path, text, f.mode)
}

// freeName is a name for a backup that no file has.
func freeName(path string) (string, error) {
	for i := 1; i < 1000; i++ {
		name := path + ".before-mcp-credential-" + strconv.Itoa(i)
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
	}
	return "", errors.New("there are too many backups of it")
}

// replace writes a file as a whole, with a mode of its own.
func replace(path string, text []byte, mode fs.FileMode) error {
	if err := atomicfile.Write(path, text); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

func sum(text []byte) string {
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:])
}

// Undo takes back what was written, the last first, and returns the files that are as before. A file that others have
// changed since gets its own part back alone. What cannot be taken back stays in the record, and is in the error.
func (l Log) Undo() (restored []string, err error) {
	all, err := l.read()
	if err != nil {
		return nil, err
	}
	var left []written
	var bad []error
	for _, w := range slices.Backward(all) {
		if err := w.undo(); err != nil {
			bad, left = append(bad, fmt.Errorf("%s: %w", w.Path, err)), append(left, w)
			continue
		}
		restored = append(restored, w.Path)
	}
	slices.Reverse(left)
	return restored, errors.Join(append(bad, l.write(left))...)
}

func (w written) undo() error {
	now, err := Read(w.Path)
	if err != nil {
		return err
	}
	var before []byte
	if w.Backup != "" {
		if before, err = os.ReadFile(w.Backup); err != nil {
			return err
		}
	}
	switch {
	case !now.Existed, w.Backup != "" && bytes.Equal(now.Text, before): // never written, or somebody was quicker
	case sum(now.Text) == w.After && w.Backup == "":
		err = os.Remove(w.Path)
	case sum(now.Text) == w.After:
		err = replace(w.Path, before, now.mode)
	default:
		text, ok := host.Undo(now.Text, before, w.Edits)
		if !ok {
			text := "it was changed since in the same place; "
			if w.Backup == "" {
				return errors.New(text + "take out by hand what is not wanted")
			}
			return errors.New(text + "what it was is in " + w.Backup)
		}
		err = replace(w.Path, text, now.mode)
	}
	if err == nil && w.Backup != "" {
		err = os.Remove(w.Backup)
	}
	return err
}
