package atomicfile

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
)

// placedHead is the length of what stands before the content of a placed file: the size of the content, big-endian.
const placedHead = 8

// Placed is a file that has its name and its room on the disk before its content is known, so that Fill costs one write and
// one fsync. Unlike with Write the content is not whole until Fill has ended: whoever reads it must be able to tell, and
// nobody places a file over one that is still needed. It belongs to one goroutine and ends with Fill or Discard.
type Placed struct {
	path string
	file *os.File
	room int
}

// Place takes room bytes of the disk for a later Fill, durably, in the place of what is at path. A symlink there is replaced.
func Place(path string, room int) (*Placed, error) {
	if err := ignoreMissing(os.Remove(path)); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	p := &Placed{path, file, room}
	_, err = file.Write(make([]byte, placedHead+room))
	if err = errors.Join(err, file.Sync()); err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		p.Discard()
		return nil, err
	}
	return p, nil
}

// Fill writes the content. On return without an error it survives a power failure; after a kill at any moment PlacedContent
// finds nothing, the content, or a part of it with zeros behind.
func (p *Placed) Fill(content []byte) error {
	if len(content) > p.room {
		p.Discard()
		return ErrTooBig
	}
	data := binary.BigEndian.AppendUint64(make([]byte, 0, placedHead+len(content)), uint64(len(content)))
	_, err := p.file.WriteAt(append(data, content...), 0)
	if err == nil {
		err = p.file.Sync()
	}
	if err == nil {
		err = p.inPlace()
	}
	return errors.Join(err, p.file.Close())
}

// inPlace is an error where somebody has removed the file, or the folder that it was in.
func (p *Placed) inPlace() error {
	mine, err := p.file.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(p.path)
	if err == nil && !os.SameFile(mine, there) {
		err = ErrForeign
	}
	return err
}

// Discard gives the room back.
func (p *Placed) Discard() {
	_ = p.file.Close()
	_ = os.Remove(p.path)
}

// PlacedContent returns what Fill has written into a file with this data; nil for a file that was not filled.
func PlacedContent(data []byte) []byte {
	if len(data) < placedHead {
		return nil
	}
	n, data := binary.BigEndian.Uint64(data), data[placedHead:]
	if n == 0 || n > uint64(len(data)) {
		return nil
	}
	return data[:n]
}
