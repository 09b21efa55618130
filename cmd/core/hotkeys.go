package core

import (
	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/internal/home"
)

// HotKeys returns the place for hot data keys.
func HotKeys(dir home.Dir) cache.Keys { return cache.SystemKeys(dir.ID) }
