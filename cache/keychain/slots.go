package keychain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/mcp-credential/mcp-credential/credential"
)

// slots makes set atomic over a raw store where it is not. An item has two slots, each a frame with a generation and
// a checksum: set writes the older one, get reads the newest whole one, so that a set which is cut off leaves the
// other slot as it was.
type slots struct{ raw raw }

// frame is what a slot holds: magic, generation, checksum of generation and value, value. It ends with the slot.
const (
	frameMagic = "mcs1"
	frameGen   = len(frameMagic)
	frameSum   = frameGen + 8
	frameValue = frameSum + sha256.Size
)

func encodeFrame(generation uint64, value []byte) []byte {
	out := make([]byte, frameValue, frameValue+len(value))
	copy(out, frameMagic)
	binary.BigEndian.PutUint64(out[frameGen:], generation)
	out = append(out, value...)
	copy(out[frameSum:], frameChecksum(out))
	return out
}

func decodeFrame(b []byte) (generation uint64, value []byte, ok bool) {
	if len(b) < frameValue || string(b[:frameGen]) != frameMagic || !bytes.Equal(b[frameSum:frameValue], frameChecksum(b)) {
		return 0, nil, false
	}
	return binary.BigEndian.Uint64(b[frameGen:]), b[frameValue:], true
}

func frameChecksum(b []byte) []byte {
	h := sha256.New()
	h.Write(b[:frameSum])
	h.Write(b[frameValue:])
	return h.Sum(nil)
}

// slot is what was found in one: nothing, a whole frame, a damaged one, or an unreadable one (err).
type slot struct {
	found, whole bool
	generation   uint64
	value        []byte
	err          error
}

func slotKey(key string, n int) string { return key + "." + strconv.Itoa(n) }

func (s slots) load(ctx context.Context, key string, n int) (slot, error) {
	b, err := s.raw.get(ctx, slotKey(key, n))
	var u unreadable
	switch {
	case err == nil:
		generation, value, ok := decodeFrame(b)
		return slot{found: true, whole: ok, generation: generation, value: value}, nil
	case errors.Is(err, credential.ErrNoItem):
		return slot{}, nil
	case errors.Is(err, errDamaged):
		return slot{found: true}, nil
	case errors.As(err, &u):
		return slot{found: true, err: u.error}, nil
	}
	return slot{}, err
}

// both loads the two slots, a slot that is not whole twice: it may have been in the middle of a set, or the keychain
// was unlocked between (gpg, for the other slot).
func (s slots) both(ctx context.Context, key string) (pair [2]slot, err error) {
	for n := range pair {
		if pair[n], err = s.load(ctx, key, n); err != nil {
			return pair, err
		}
	}
	for n := range pair {
		if pair[n].found && !pair[n].whole {
			if pair[n], err = s.load(ctx, key, n); err != nil {
				return pair, err
			}
		}
	}
	return pair, nil
}

// newest returns the index of the newest whole slot, or -1.
func newest(pair [2]slot) int {
	best := -1
	for n, s := range pair {
		if s.whole && (best < 0 || s.generation > pair[best].generation) {
			best = n
		}
	}
	return best
}

func (s slots) get(ctx context.Context, key string) ([]byte, error) {
	pair, err := s.both(ctx, key)
	if err != nil {
		return nil, err
	}
	if n := newest(pair); n >= 0 {
		return pair[n].value, nil
	}
	if err := errors.Join(pair[0].err, pair[1].err); err != nil {
		return nil, err
	}
	if pair[0].found && pair[1].found {
		return nil, credential.Fail(credential.KeychainBroken, "the keychain item is damaged", nil)
	}
	return nil, credential.ErrNoItem // at most a first set that was cut off
}

func (s slots) set(ctx context.Context, key, label string, value []byte) error {
	pair, err := s.both(ctx, key)
	if err != nil {
		return err
	}
	n, generation, err := next(pair)
	if err != nil {
		return err
	}
	if err := s.raw.set(ctx, slotKey(key, n), label, encodeFrame(generation, value)); err != nil || pair[1-n].found {
		return err
	}
	// The first set writes both slots: later ones then find room on a full disk. What it fails on is only that.
	_ = s.raw.set(ctx, slotKey(key, 1-n), label, encodeFrame(generation+1, value))
	return nil
}

// next says which slot to write, and with which generation. An unreadable slot may be the newest: it is left alone,
// and its generation must be known to be surpassed.
func next(pair [2]slot) (n int, generation uint64, err error) {
	if best := newest(pair); best >= 0 {
		return 1 - best, pair[best].generation + 1, nil
	}
	if pair[0].err != nil && !pair[1].found {
		return 1, 2, nil // the first set was cut off after the one slot, whose generation is 1
	}
	return 0, 1, errors.Join(pair[0].err, pair[1].err)
}

func (s slots) remove(ctx context.Context, key string) error {
	return errors.Join(s.raw.remove(ctx, slotKey(key, 0)), s.raw.remove(ctx, slotKey(key, 1)))
}
