package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// A file that a reader, a writer or a virus scanner has open refuses to be replaced, and one that is being replaced
// refuses to be opened. Both pass in milliseconds: try again, at most this long in all.
const (
	busyTotal = time.Second
	busyFirst = time.Millisecond
	busyLast  = 50 * time.Millisecond
)

func whileBusy(try func() error) error {
	end := time.Now().Add(busyTotal)
	for pause := busyFirst; ; pause = min(2*pause, busyLast) {
		err := try()
		if !busy(err) || time.Now().Add(pause).After(end) {
			return err
		}
		time.Sleep(pause)
	}
}

func busy(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_LOCK_VIOLATION) ||
		errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_DELETE_PENDING)
}

// open opens path for reading. FILE_SHARE_DELETE lets a writer replace the file meanwhile, and
// FILE_FLAG_OPEN_REPARSE_POINT and FILE_FLAG_BACKUP_SEMANTICS open a symlink or a folder itself, which judge refuses.
func open(path string) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	var handle windows.Handle
	const flags = windows.FILE_ATTRIBUTE_NORMAL | windows.FILE_FLAG_OPEN_REPARSE_POINT | windows.FILE_FLAG_BACKUP_SEMANTICS
	err = whileBusy(func() error {
		handle, err = windows.CreateFile(name, windows.GENERIC_READ,
			windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil,
			windows.OPEN_EXISTING, flags, 0)
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(handle), path), nil
}

// judgeOwner accepts every file: access lists are inherited from the user's profile, which other users cannot enter.
func judgeOwner(fs.FileInfo) error { return nil }

// replace renames temp over path; the call returns when the rename is on the disk.
func replace(temp, path string) error {
	from, err := windows.UTF16PtrFromString(temp)
	if err != nil {
		return &fs.PathError{Op: "rename", Path: temp, Err: err}
	}
	to, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return &fs.PathError{Op: "rename", Path: path, Err: err}
	}
	err = whileBusy(func() error {
		return windows.MoveFileEx(from, to, windows.MOVEFILE_REPLACE_EXISTING|windows.MOVEFILE_WRITE_THROUGH)
	})
	if err != nil {
		return &os.LinkError{Op: "rename", Old: temp, New: path, Err: err}
	}
	return nil
}

// syncDir does nothing: MOVEFILE_WRITE_THROUGH has done it.
func syncDir(string) error { return nil }
