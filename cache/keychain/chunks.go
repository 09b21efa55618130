package keychain

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/mcp-credential/mcp-credential/credential"
)

// chunks splits a value over numbered items of a raw store that limits their size. The first item begins with the
// number of items (two bytes). It is not atomic and has no checksum: slots on top of it do that.
type chunks struct {
	raw   raw
	limit int // bytes of one item
}

const (
	partsHead = 2
	partsMax  = 64 // far beyond any refresh token; bounds what a damaged head can make us read
)

func chunkKey(key string, n int) string { return key + "." + strconv.Itoa(n) }

func (p chunks) get(ctx context.Context, key string) ([]byte, error) {
	head, err := p.raw.get(ctx, chunkKey(key, 0))
	if err != nil {
		return nil, err
	}
	if len(head) < partsHead {
		return nil, errDamaged
	}
	value := head[partsHead:]
	for n := 1; n < int(binary.BigEndian.Uint16(head)) && n < partsMax; n++ {
		part, err := p.raw.get(ctx, chunkKey(key, n))
		if errors.Is(err, credential.ErrNoItem) {
			return nil, errDamaged
		}
		if err != nil {
			return nil, err
		}
		value = append(value, part...)
	}
	return value, nil
}

func (p chunks) set(ctx context.Context, key, label string, value []byte) error {
	value = append(make([]byte, partsHead), value...)
	count := (len(value) + p.limit - 1) / p.limit
	if count > partsMax {
		return credential.Fail(credential.KeychainBroken, "the value is too large for the keychain", nil)
	}
	binary.BigEndian.PutUint16(value, uint16(count))
	for n := range count {
		end := min((n+1)*p.limit, len(value))
		if err := p.raw.set(ctx, chunkKey(key, n), label, value[n*p.limit:end]); err != nil {
			return err
		}
	}
	return p.removeFrom(ctx, key, count)
}

func (p chunks) remove(ctx context.Context, key string) error { return p.removeFrom(ctx, key, 0) }

// removeFrom removes the items from number first on, the last one first: cut off, it leaves no gap for its next run to
// stop at.
func (p chunks) removeFrom(ctx context.Context, key string, first int) error {
	end := first
	for ; end < partsMax; end++ {
		_, err := p.raw.get(ctx, chunkKey(key, end))
		if errors.Is(err, credential.ErrNoItem) {
			break
		}
		if err != nil {
			return err
		}
	}
	for n := end - 1; n >= first; n-- {
		if err := p.raw.remove(ctx, chunkKey(key, n)); err != nil {
			return err
		}
	}
	return nil
}

// wincredLimit is the largest blob of a Windows credential in bytes (CRED_MAX_CREDENTIAL_BLOB_SIZE in wincred.h, 5*512;
// danieljoos/wincred#18). Not every implementation refuses more, so it is kept here.
const wincredLimit = 2560
