package script

// provider is a fake of a provider that docs/servers.md has a recipe for. Each one refuses refreshes that name scopes.
type provider struct {
	name    string // section of docs/servers.md, and after a comma which of its ways
	world   string // the fake's flags, see internal/fakeworld/options.go; the redirect URI comes from the recipe
	knobs   string // and what it publishes
	refused string // what it refuses without the recipe's lines, and what we say then; before anything is configured
	after   string
	builtIn string // lines of config.toml that stand for what the real issuer gets without any
	secret  bool   // the client has one
	eternal bool   // a token without end, and no refresh token
}

const (
	usual         = "-no-iss -plain-refresh " // most say nothing of RFC 9207
	noRegisration = `
exits 5 mcp-credential login $URL
! stdout .
stderr 'the authorization server does not register clients by itself; give it a client ID with --client-id'
! exists tabs
`
	// The page of a provider that knows another redirect URI does not come back: somebody has to give up.
	wrongRedirect = `
! exec mcp-credential login --client-id fakeworld-public $URL &refused&
until match page 'Unknown client or redirect URI'
[unix] kill -INT refused
[!unix] kill refused
wait refused
[unix] stderr 'if its page refused the redirect URI, name the one that the client is registered with: --callback-port PORT, or redirect_uri in config.toml'
`
	wrongSecret = `
exits 5 mcp-credential login --client-id fakeworld-confidential --client-secret-file given-wrong $URL
stderr 'the authorization server does not accept the client ID or client secret'
`
	noEntraClient = `
exits 5 mcp-credential login $URL
stderr 'Entra ID registers no clients by itself; name the application \(client\) ID of your own registration with --client-id: docs/entra.md'
`
	// What a provider that needs no lines refuses is a sign-in that it has ended.
	ended = `
control '{"revoke_all":true}'
exits 0 mcp-credential erase $URL
exits 3 mcp-credential get --prompt never $URL
! stdout .
stderr 'sign in again with: mcp-credential login '$URL
`
)

var providers = []provider{
	{
		name:    "Slack",
		world:   usual + "-no-registration -rotate -revoke-on-reuse -access-ttl 12h -refresh-ttl 720h -comma-scopes -errors-ok",
		refused: noRegisration + wrongRedirect,
		after:   ended,
	},
	{
		name:    "Slack, without token rotation",
		world:   usual + "-no-registration -no-refresh -omit-expiry -comma-scopes -errors-ok",
		eternal: true,
	},
	{
		name:    "Slack, under another name",
		world:   usual + "-no-registration -rotate",
		knobs:   `{"metadata":{"issuer":"http://localhost:1"}}`,
		builtIn: `[servers."$URL"]` + "\n" + `issuer = "http://localhost:1"` + "\n" + `metadata_url = "$ISSUER/.well-known/oauth-authorization-server"`,
		refused: `
exits 5 mcp-credential login --client-id fakeworld-public --callback-port $PORT $URL
! stdout .
stderr 'it belongs to the issuer http://localhost:1 and not to '$ISSUER'\n'
`,
	},
	{
		// The fake cannot be https://accounts.google.com, for which these two are built in: see TestGoogleMCPRemote53 of source/oauth.
		name:    "Google",
		secret:  true,
		world:   usual + "-no-registration -openid-only -offline-param access_type=offline",
		knobs:   `{"metadata":{"token_endpoint_auth_methods_supported":["client_secret_post","client_secret_basic"],"scopes_supported":["openid","email","profile"],"code_challenge_methods_supported":["plain","S256"]}}`,
		builtIn: `[servers."$URL"]` + "\n" + `authorization_params = { access_type = "offline", prompt = "consent" }`,
		refused: noRegisration + `
exits 5 mcp-credential login --client-id fakeworld-confidential $URL
stderr 'the authorization server does not accept the client ID or client secret'
exits 0 mcp-credential login --client-id fakeworld-confidential --client-secret-file given-secret $URL
exits 0 mcp-credential status $URL
stdout 'refresh token +none'
exits 0 mcp-credential logout $URL
`,
	},
	{
		name:   "GitHub",
		secret: true,
		world:  usual + "-no-registration -issuer-path /login/oauth -rotate -access-ttl 8h -refresh-ttl 4392h -comma-scopes -errors-ok -auth-method client_secret_post",
		knobs:  `{"metadata":{"scopes_supported":null,"token_endpoint_auth_methods_supported":null}}`,
		refused: noRegisration + wrongSecret + `
exits 5 mcp-credential login --client-id fakeworld-confidential --client-secret-file given-secret $URL
stderr 'does not accept the client ID or client secret'
knobs '{"faults":[{"on":"token","times":1,"status":200,"body":"{\"error\":\"incorrect_client_credentials\"}"}]}'
exits 5 mcp-credential login --client-id fakeworld-confidential --client-secret-file given-secret $URL
stderr 'the authorization server does not accept the client ID or client secret \(incorrect_client_credentials\)'
`,
		after: `
knobs '{"faults":[{"on":"token","times":1,"status":200,"body":"{\"error\":\"bad_refresh_token\"}"}]}'
exits 0 mcp-credential erase $URL
exits 3 mcp-credential get --prompt never $URL
stderr 'sign in again with: mcp-credential login '$URL
`,
	},
	{
		name:    "GitHub, OAuth app",
		secret:  true,
		world:   usual + "-no-registration -issuer-path /login/oauth -no-refresh -omit-expiry -comma-scopes -errors-ok -auth-method client_secret_post",
		knobs:   `{"metadata":{"token_endpoint_auth_methods_supported":null}}`,
		eternal: true,
	},
	{
		name:  "Atlassian",
		world: usual + "-issuer-path /tenant -rotate -offline-scope -scopes 'offline_access read:jira-work'",
		knobs: `{"metadata":{"issuer":"$ORIGIN"}}`,
		refused: `
exits 5 mcp-credential login $URL
! stdout .
stderr 'on the same host; if you trust it, accept that for this server in config.toml: issuer = "http://[0-9.:]+" below \[servers."'$URL'"\], with metadata_url = "http://[0-9.:]+/.well-known/oauth-authorization-server/tenant"\n'
`,
	},
	{name: "Notion", world: usual + "-rotate -revoke-on-reuse", after: ended},
	{name: "Linear", world: usual + "-rotate", after: ended},
	{name: "Linear, the other way", world: usual, after: ended},
	{name: "Sentry", world: usual + "-rotate", after: ended},
	{
		name:   "Figma",
		secret: true,
		world:  usual,
		knobs:  `{"faults":[{"on":"register","status":403,"body":"Forbidden"}]}`,
		refused: `
exits 5 mcp-credential login $URL
! stdout .
! stderr 'signing in again'
stderr 'refused with status 403 and no reason when asked to register a client; a client ID can be given with --client-id'
` + wrongRedirect,
	},
	{
		name:    "Microsoft Work IQ",
		world:   "entra",
		refused: noEntraClient,
		after: `
# Another server that names the scope of Work IQ gets nothing.
knobs '{"metadata":{"/mcp2":{"scopes_supported":["api://workiq.svc.cloud.microsoft/WorkIQAgent.Ask"]}}}'
exits 5 mcp-credential login $URL2
! stdout .
stderr 'asks for api://workiq.svc.cloud.microsoft/WorkIQAgent.Ask, a scope of a Microsoft service and not of the server; only scopes in config.toml can allow that'
`,
	},
	{
		name:    "Microsoft Azure DevOps",
		world:   "entra", // whose servers name a resource that is not the App ID URI of their scopes
		refused: noEntraClient,
		after: `
# Another server that names the scopes of Azure DevOps, or of its MCP server, gets nothing.
knobs '{"metadata":{"/mcp2":{"scopes_supported":["499b84ac-1321-427f-aa17-267ca6975798/.default"]}}}'
exits 5 mcp-credential login $URL2
! stdout .
stderr 'a scope of a Microsoft service and not of the server; only scopes in config.toml can allow that'
knobs '{"metadata":{"/mcp2":{"scopes_supported":["https://mcp.dev.azure.com/Ado.Mcp.Tools"]}}}'
exits 5 mcp-credential login $URL2
! stdout .
stderr 'a scope of a Microsoft service and not of the server; only scopes in config.toml can allow that'
`,
	},
	{
		name:  "Auth0",
		world: usual + "-no-registration -rotate -revoke-on-reuse -offline-scope -scopes 'offline_access read:tools' -need-param audience=https://mcp.example.com/mcp",
		refused: noRegisration + wrongRedirect + `
# Without the audience the token is for no API.
exits 0 mcp-credential login --client-id fakeworld-public --callback-port $PORT $URL
exits 1 mcp-credential doctor $URL
stdout 'refuse'
exits 0 mcp-credential logout $URL
`,
		after: `
exits 0 mcp-credential doctor $URL
`,
	},
	{
		name:    "Okta",
		world:   usual + "-no-registration -issuer-path /oauth2/default -offline-scope -scopes 'openid offline_access tools'",
		refused: noRegisration + wrongRedirect,
	},
	{
		name:  "Keycloak",
		world: "-plain-refresh -issuer-path /realms/acme -access-ttl 5m",
		knobs: `{"faults":[{"on":"register","status":403,"body":"{\"error\":\"insufficient_scope\",\"error_description\":\"Host not trusted.\"}"}],"token":{"refresh_expires_in":1800}}`,
		refused: `
exits 5 mcp-credential login $URL
! stdout .
! stderr 'signing in again'
stderr 'insufficient_scope: Host not trusted when asked to register a client; a client ID can be given with --client-id'
` + wrongRedirect,
		after: `
exits 0 mcp-credential status $URL
stdout 'ends in (29|30) min'
`,
	},
	{
		name:  "Amazon Cognito",
		world: usual + "-no-registration -openid-only",
		knobs: `{"metadata":{"code_challenge_methods_supported":null,"grant_types_supported":null}}`,
		refused: `
exits 5 mcp-credential login --client-id fakeworld-public --callback-port $PORT $URL
! stdout .
stderr 'does not announce PKCE with S256, which protects the sign-in; if you trust it, accept that for this server in config.toml: assume_pkce = true below '
`,
	},
	{
		name:    "PingOne",
		world:   usual + "-no-registration -openid-only -issuer-path /env/as -refresh-ttl 720h",
		refused: noRegisration,
	},
}
