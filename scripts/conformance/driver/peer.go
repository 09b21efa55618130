package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peer prepares mcp-remote in place of the program under test, to compare: DRIVER_PEER is its command, in words that
// hold no spaces. It opens browsers by the program x-www-browser where there is no
// other, and listens for the answer only after that: this one takes its time, as a real one does.
func (s *scenario) peer(home, server string, getenv func(string) string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	opener := "#!/bin/sh\nsleep 2\nexec " + filepath.Join(filepath.Dir(self), "fakebrowser") + " \"$1\"\n"
	if err := os.WriteFile(filepath.Join(home, "x-www-browser"), []byte(opener), 0o700); err != nil {
		return nil, err
	}
	argv := append(strings.Fields(getenv("DRIVER_PEER")), server)
	if s.context.ClientID != "" {
		client, err := json.Marshal(map[string]string{"client_id": s.context.ClientID, "client_secret": s.context.ClientSecret})
		if err != nil {
			return nil, err
		}
		argv = append(argv, "--static-oauth-client-info", string(client))
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = []string{"HOME=" + home, "PATH=" + home + ":" + getenv("PATH"), "MCP_REMOTE_CONFIG_DIR=" + home}
	return cmd, nil
}
