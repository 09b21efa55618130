package cache

import "errors"

// What callers tell apart. All but ErrNoTier mean that the answer is not to be had here: ask the keychain, or refresh.
var (
	ErrMiss    = errors.New("not cached")
	ErrNoKey   = errors.New("cached, but its key is not hot")
	ErrNoTier  = errors.New("this system keeps no hot keys")
	ErrDamaged = errors.New("damaged cache file")
)

// DamagedError is what an unusable file gives: corrupt, truncated, copied from elsewhere, foreign, readable by others,
// too big. It matches ErrDamaged; the file may be replaced or dropped without loss.
type DamagedError struct {
	Path string
	Err  error
}

// Error returns one sentence that names the file and the reason.
func (e *DamagedError) Error() string {
	return "the cache file " + e.Path + " cannot be used: " + e.Err.Error()
}

// Is makes a DamagedError match ErrDamaged.
func (e *DamagedError) Is(target error) bool { return target == ErrDamaged }

// Unwrap returns the reason.
func (e *DamagedError) Unwrap() error { return e.Err }
