// Package hosts runs the bridge and the token command in real MCP hosts, pinned in scripts/hosts, against a model of ours on
// loopback that asks for what a test wants. Its tests carry the build tag hosts and run on Linux (make hosts). What the bridge
// does is left to its own tests; what each host makes of it is what docs/hosts.md says.
package hosts
