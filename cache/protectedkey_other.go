//go:build !windows

package cache

func protect([]byte) ([]byte, error) { return nil, ErrNoTier }

func unprotect([]byte) ([]byte, error) { return nil, errSealed }
