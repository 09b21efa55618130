// The protected server: it looks tokens up at the authorization server and answers a good one with who is calling.

export function protectedServer(origin, resource, issuer, scopes, provider, stats) {
  const metadata = `/.well-known/oauth-protected-resource${new URL(resource).pathname}`;
  const challenge = `Bearer resource_metadata="${origin}${metadata}", scope="${scopes}"`;
  return async (req, res) => {
    const { pathname } = new URL(req.url, origin);
    stats.count('http', `${req.method} ${pathname}`);
    if (pathname === metadata) {
      return json(res, 200, { resource, authorization_servers: [issuer], scopes_supported: scopes.split(' '), bearer_methods_supported: ['header'] });
    }
    if (pathname !== '/mcp' && pathname !== '/mcp/ping') return json(res, 404, {});
    const { outcome, token } = await judge(req, resource, provider);
    stats.count('mcp', outcome);
    if (outcome === 'no_token') return json(res, 401, {}, { 'WWW-Authenticate': challenge });
    if (outcome !== 'ok') return json(res, 401, {}, { 'WWW-Authenticate': `${challenge}, error="invalid_token"` });
    return json(res, 200, { subject: token.accountId ?? token.clientId, client_id: token.clientId, resource: token.aud, scopes: [...token.scopes] });
  };
}

// judge gives the outcomes of internal/fakeworld; a token that has expired or was revoked is unknown here.
async function judge(req, resource, provider) {
  const [scheme, value] = (req.headers.authorization ?? '').split(' ', 2);
  if (!scheme) return { outcome: 'no_token' };
  if (scheme.toLowerCase() !== 'bearer' || !value) return { outcome: 'malformed' };
  const token = await provider.AccessToken.find(value) ?? await provider.ClientCredentials.find(value);
  if (!token) return { outcome: 'unknown' };
  if (token.aud !== resource) return { outcome: 'wrong_resource' };
  return { outcome: 'ok', token };
}

export function json(res, status, body, headers = {}) {
  res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  res.end(`${JSON.stringify(body)}\n`);
}
