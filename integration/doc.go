// Package integration proves the built programs against real components and under torture: an authorization server that
// revokes the grant on reuse, gnome-keyring, pass, git, proxies, and everything that can hang or be killed. Its tests
// carry the build tag integration, run on Linux and need what scripts/oidc-provider and scripts/keychain-env.sh need;
// a missing program is a failure. Single functions and formats are left to the packages' own tests.
package integration
