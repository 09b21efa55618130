package fakeworld

import (
	"net"
	"strings"
)

// The places of World.servers.
const (
	authorizationServer = iota
	protectedServers
)

// StopServers ends every connection to the protected servers and refuses new ones. The authorization server goes on.
func (w *World) StopServers() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.servers[protectedServers].Close()
}

// StartServers serves again at the same address. What serves authorized requests has forgotten nothing: that is for
// Options.MCP to do.
func (w *World) StartServers() error {
	_, place, _ := strings.Cut(w.origin, "://")
	l, err := net.Listen("tcp", place)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers[protectedServers] = start(w.secure(l), w.resourceRoutes())
	return nil
}
