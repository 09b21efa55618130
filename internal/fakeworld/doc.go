// Package fakeworld is the outside world for tests and the demo: an authorization server that is as strict as the
// strictest real one, and a protected MCP server that accepts its tokens, both on loopback and both able to misbehave
// on demand. It leaves speaking MCP to its subpackage mcpserver, so that tests that need no MCP do not link an SDK, and
// proving that the product also works with a foreign authorization server to scripts/oidc-provider.
//
// # What it refuses
//
// Authorization requests without PKCE S256, a state, or the exact resource (RFC 8707) of one of its servers; redirect
// URIs that were not registered (the port of a loopback redirect is free for native clients, RFC 8252 section 7.3);
// codes presented twice, by another client or with another redirect URI, after which every token of that code is dead
// (RFC 6749 section 4.1.2); a rotated refresh token presented again, after which its whole grant is dead (RFC 9700
// section 4.14.2); parameters given twice; client authentication other than the registered method; device polls
// faster than the interval; tokens of one resource at another.
//
// # How it misbehaves
//
// Behaviour change what it says and Faults what becomes of a request; both can be set while it runs, from Go (World.Set)
// and by POST of JSON to /_control on a listener of its own, for tests in another process:
//
//	POST /_control  {"knobs": {"faults": [{"on": "token", "times": 2, "status": 503}]}}
//	POST /_control  {"revoke_all": true, "expire_access": true, "approve_devices": true, "reset_stats": true}
//	GET  /_stats    what it was asked, as Stats
//	GET  /_secrets  every secret it has given out or seen, one on a line: none of them may turn up in a log
package fakeworld
