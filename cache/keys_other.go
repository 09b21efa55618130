//go:build !linux && !windows

package cache

import "time"

// SystemKeys returns the place for hot keys, of which this system has none: on macOS the keychain itself answers
// quickly enough, and it alone knows which program may ask.
func SystemKeys(string) Keys { return noKeys{} }

type noKeys struct{}

func (noKeys) Get(string) ([]byte, error)              { return nil, ErrMiss }
func (noKeys) Put(string, []byte, time.Duration) error { return ErrNoTier }
func (noKeys) Drop(string) error                       { return nil }
func (noKeys) Tier() string                            { return noTier }
