package core

// Each command's help shows one call of it.

func (getCmd) Help() string {
	return `Example: curl -H "Authorization: Bearer $(mcp-credential get URL)" URL`
}

func (loginCmd) Help() string { return `Example: mcp-credential login https://mcp.example.com/mcp` }

func (logoutCmd) Help() string { return `Example: mcp-credential logout https://mcp.example.com/mcp` }

func (bridgeCmd) Help() string { return `Example: mcp-credential bridge https://mcp.example.com/mcp` }

func (setupCmd) Help() string {
	return `Example: mcp-credential setup copilot --server https://mcp.example.com/mcp`
}

func (statusCmd) Help() string { return `Example: mcp-credential status --output json` }

func (doctorCmd) Help() string { return `Example: mcp-credential doctor https://mcp.example.com/mcp` }

func (sshCmd) Help() string { return `Example: mcp-credential ssh devbox -t tmux` }

func (forwardCmd) Help() string {
	return `Example: mcp-credential forward --host devcontainer ~/.mcp-credential/serve/dev/mcp.sock`
}

func (accountCmd) Help() string {
	return `Example: mcp-credential account https://mcp.example.com/mcp work`
}

func (completionCmd) Help() string { return `Example: source <(mcp-credential completion bash)` }
