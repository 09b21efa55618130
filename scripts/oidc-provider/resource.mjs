// The protected server: it looks tokens up at the authorization server and answers a good one with who is calling.

import { createHash, createPublicKey, verify } from 'node:crypto';

export function protectedServer(origin, resource, issuer, { scopes, dpop }, provider, stats) {
  const metadata = `/.well-known/oauth-protected-resource${new URL(resource).pathname}`;
  const challenge = `${dpop ? 'DPoP' : 'Bearer'} resource_metadata="${origin}${metadata}", scope="${scopes}"`;
  return async (req, res) => {
    const { pathname } = new URL(req.url, origin);
    stats.count('http', `${req.method} ${pathname}`);
    if (pathname === metadata) {
      return json(res, 200, { resource, authorization_servers: [issuer], scopes_supported: scopes.split(' '), bearer_methods_supported: ['header'], dpop_bound_access_tokens_required: dpop });
    }
    if (pathname !== '/mcp' && pathname !== '/mcp/ping') return json(res, 404, {});
    const { outcome, token } = await judge(req, resource, dpop, provider);
    stats.count('mcp', outcome);
    if (outcome === 'no_token') return json(res, 401, {}, { 'WWW-Authenticate': challenge });
    if (outcome !== 'ok') return json(res, 401, {}, { 'WWW-Authenticate': `${challenge}, error="invalid_token"` });
    return json(res, 200, { subject: token.accountId ?? token.clientId, client_id: token.clientId, resource: token.aud, scopes: [...token.scopes] });
  };
}

// judge gives the outcomes of internal/fakeworld; a token that has expired or was revoked is unknown here.
async function judge(req, resource, dpop, provider) {
  const [scheme, value] = (req.headers.authorization ?? '').split(' ', 2);
  if (!scheme) return { outcome: 'no_token' };
  if (scheme.toLowerCase() !== (dpop ? 'dpop' : 'bearer') || !value) return { outcome: 'malformed' };
  const token = await provider.AccessToken.find(value) ?? await provider.ClientCredentials.find(value);
  if (!token) return { outcome: 'unknown' };
  if (dpop && (!token.jkt || token.jkt !== provenKey(req, resource, value))) return { outcome: 'proof' };
  if (token.aud !== resource) return { outcome: 'wrong_resource' };
  return { outcome: 'ok', token };
}

// provenKey is the thumbprint of the key that a request proves (RFC 9449 section 4.3); undefined: none.
function provenKey(req, url, token) {
  try {
    const [head, body, signature] = req.headers.dpop.split('.');
    const [{ typ, alg, jwk }, claims] = [head, body].map((part) => JSON.parse(Buffer.from(part, 'base64url')));
    const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' };
    const sha256 = (text) => createHash('sha256').update(text).digest('base64url');
    const good = typ === 'dpop+jwt' && alg === 'ES256' && !jwk.d && claims.htm === req.method && claims.htu === url &&
      claims.ath === sha256(token) && Math.abs(Date.now() / 1000 - claims.iat) < 60 &&
      verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'));
    return good ? sha256(JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y })) : undefined;
  } catch {
    return undefined;
  }
}

export function json(res, status, body, headers = {}) {
  res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  res.end(`${JSON.stringify(body)}\n`);
}
