//go:build !linux

package cache

var keyRoles map[string]func([]string) error
