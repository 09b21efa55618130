// Package entra is Entra ID for tests: an authorization server that answers for login.microsoftonline.com, and MCP
// servers that accept its tokens. It is as strict as the real one is known to be, and refuses with its codes and in its
// JSON. People and service principals sign in to the same tenant. What any authorization server does is left to
// fakeworld, whose counts and documents it shares.
//
// # How it is reached
//
// The real host name is served on no port of this machine. World.ProxyURL is an HTTP proxy that takes CONNECT for the
// sign-in host and answers itself, with a certificate that World.CertPEM makes trusted: a program under test needs
// HTTPS_PROXY and SSL_CERT_FILE, and no test hook. CONNECT to any other host is refused and counted.
//
// # What it refuses
//
// A scope that is missing, mixed with .default, of two resources, or unknown; a resource parameter that is not the App
// ID URI of the scopes, a trailing slash included; redirect URIs other than http://localhost; codes presented twice;
// refresh tokens that have expired or were revoked; polls faster than the interval. Refresh tokens are good for every
// app of the tenant and old ones stay good. Instance discovery is answered, and counted in Stats.HTTP: a test that
// finds it there has found a request too many.
package entra
