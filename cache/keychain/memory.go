package keychain

import (
	"context"
	"slices"
	"sync"

	"github.com/mcp-credential/mcp-credential/credential"
)

// memory is for tests: it belongs to the Keychain that Open returned, and ends with the process.
type memory struct {
	mu    sync.Mutex
	items map[string][]byte
}

func openMemory(context.Context, Options) (Keychain, error) {
	return &store{raw: &memory{items: map[string][]byte{}}, name: nameMemory, tier: "memory", wait: credential.KeychainCall}, nil
}

func (m *memory) get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.items[key]
	if !ok {
		return nil, credential.ErrNoItem
	}
	return slices.Clone(value), nil
}

func (m *memory) set(_ context.Context, key, _ string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.items[key] = slices.Clone(value)
	return nil
}

func (m *memory) remove(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.items, key)
	return nil
}
