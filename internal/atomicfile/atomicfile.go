// Package atomicfile replaces small private files as a whole and reads them back only while they are still private.
// What is in them, and who may write when, is left to the caller.
package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// What Read refuses. They come inside an *fs.PathError that names the file.
var (
	ErrForeign = errors.New("not a regular file of this user")
	ErrExposed = errors.New("other users can read or change it")
	ErrTooBig  = errors.New("larger than such a file may be")
)

// A temporary file is named tempPrefix, the target's name, a dot, random digits, tempSuffix.
const (
	tempPrefix = "."
	tempSuffix = ".tmp"
)

// Write replaces the file at path with data, mode 0600. A reader, a crash or a full disk at any moment finds the old
// file or the new one, whole. On return without an error the new file survives a power failure. A symlink at path is
// replaced, not followed. Concurrent writers are safe; the last one wins. Every error leaves the old file, save that
// of a directory that cannot be synced, after which either may be there. No error leaves a temporary file.
func Write(path string, data []byte) error {
	p, err := Prepare(path, 0)
	if err != nil {
		return err
	}
	return p.Commit(data)
}

// Prepared is a file in the making, whose room on the disk is taken before its content is known. It belongs to one
// goroutine and ends with Commit or Discard.
type Prepared struct {
	path string
	file *os.File
}

// Prepare takes room bytes of the disk, durably, for a later Commit to path. Until then path stays as it is.
func Prepare(path string, room int) (*Prepared, error) {
	dir, base := filepath.Split(path)
	file, err := os.CreateTemp(filepath.Clean(dir), tempPrefix+base+".*"+tempSuffix)
	if err != nil {
		return nil, err
	}
	p := &Prepared{path, file}
	if room > 0 {
		_, err = file.Write(make([]byte, room))
		err = errors.Join(err, file.Sync())
	}
	if err != nil {
		p.Discard()
		return nil, err
	}
	return p, nil
}

// Commit is Write to the path that was prepared.
func (p *Prepared) Commit(data []byte) error {
	_, err := p.file.WriteAt(data, 0)
	if err == nil {
		err = p.file.Truncate(int64(len(data)))
	}
	if err == nil {
		err = p.file.Sync()
	}
	if err = errors.Join(err, p.file.Close()); err == nil {
		err = replace(p.file.Name(), p.path)
	}
	if err != nil {
		_ = os.Remove(p.file.Name())
		return err
	}
	return syncDir(filepath.Dir(p.path))
}

// Discard gives the room back.
func (p *Prepared) Discard() {
	_ = p.file.Close()
	_ = os.Remove(p.file.Name())
}

// Read returns the content of the file at path: a regular file of the caller (a symlink, a device or another user's
// file is ErrForeign), on Unix without permissions for anybody else (ErrExposed), of at most max bytes (ErrTooBig).
// It never waits, not even on a named pipe.
func Read(path string, max int64) ([]byte, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if err := judge(info, max); err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	data := make([]byte, info.Size())
	n, err := io.ReadFull(file, data)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return data[:n], nil
}

func judge(info fs.FileInfo, max int64) error {
	if !info.Mode().IsRegular() {
		return ErrForeign
	}
	if err := judgeOwner(info); err != nil {
		return err
	}
	if info.Size() > max {
		return ErrTooBig
	}
	return nil
}

// sweepMost is how many names Sweep looks at.
const sweepMost = 256

// Sweep removes from dir the temporary files of writers that were killed, where their last change is at least
// olderThan ago. Choose it longer than any write can take. A missing dir is no error. In a folder with many files it looks at some of
// them, so that a write there takes no longer; SweepAll looks at all.
func Sweep(dir string, olderThan time.Duration) error { return sweep(dir, olderThan, sweepMost) }

// SweepAll is Sweep for every file of a folder.
func SweepAll(dir string, olderThan time.Duration) error { return sweep(dir, olderThan, -1) }

func sweep(dir string, olderThan time.Duration, most int) error {
	folder, err := os.Open(dir)
	if err != nil {
		return ignoreMissing(err)
	}
	defer folder.Close()
	entries, err := folder.ReadDir(most)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	limit := time.Now().Add(-olderThan)
	var failed error
	for _, entry := range entries {
		if !isTemp(entry.Name()) {
			continue
		}
		info, err := entry.Info()
		if err != nil || info.ModTime().After(limit) {
			continue // gone, or still being written
		}
		failed = errors.Join(failed, ignoreMissing(os.Remove(filepath.Join(dir, entry.Name()))))
	}
	return failed
}

// RemoveFolder removes a folder and the files in it; a missing one is no error. os.RemoveAll deletes as POSIX does, which file
// systems of Windows refuse that are not NTFS (and wine 8.0), some with an error that Go takes for final.
func RemoveFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ignoreMissing(err)
	}
	var errs []error
	for _, e := range entries {
		errs = append(errs, ignoreMissing(os.Remove(filepath.Join(dir, e.Name()))))
	}
	return errors.Join(append(errs, ignoreMissing(os.Remove(dir)))...)
}

// isTemp reports whether Prepare could have made this name.
func isTemp(name string) bool {
	body, ok := strings.CutSuffix(name, tempSuffix)
	body, hidden := strings.CutPrefix(body, tempPrefix)
	dot := strings.LastIndexByte(body, '.')
	return ok && hidden && dot > 0 && dot < len(body)-1 && strings.Trim(body[dot+1:], "0123456789") == ""
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
