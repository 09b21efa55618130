// The authorization server: oidc-provider with everything on that the product uses, and a person who approves at once.
import Provider, { errors, interactionPolicy } from 'oidc-provider';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Store } from './store.mjs';

const SIGN_IN_SCOPES = ['openid', 'offline_access'];

export function newProvider(issuer, resource, o) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const provider = new Provider(issuer, {
    adapter: Store,
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    // These are the scopes of OpenID Connect. A resource's scopes do not belong here: a grant that lacks one of these
    // is sent back to the interaction for ever.
    scopes: SIGN_IN_SCOPES,
    claims: { openid: ['sub', 'preferred_username'] },
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    pkce: { required: () => true },
    clients: [confidentialClient(o)],
    rotateRefreshToken: true,
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: async () => false,
    findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, preferred_username: id }) }),
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}`, policy: interactionPolicy.base() },
    ttl: {
      AccessToken: o.accessTTL, ClientCredentials: o.accessTTL, RefreshToken: o.refreshTTL, AuthorizationCode: 60, IdToken: 3600,
      DeviceCode: 300, Interaction: 600, Session: 86400, Grant: 86400 * 365,
    },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      dPoP: { enabled: o.dpop, nonceSecret: randomBytes(32), requireNonce: () => true },
      resourceIndicators: {
        enabled: true,
        defaultResource: missing,
        useGrantedResource: missing,
        getResourceServerInfo: (ctx, indicator) => {
          if (indicator !== resource) throw new errors.InvalidTarget('resource is not a protected resource of this server');
          return { scope: o.scopes, audience: resource, accessTokenTTL: o.accessTTL, accessTokenFormat: 'opaque' };
        },
      },
    },
  });
  provider.use(interactions(provider, o.user));
  provider.on('server_error', (ctx, err) => console.error(err));
  return provider;
}

// A client has to name the resource in every request (RFC 8707, as the MCP authorization specification wants it). On a
// refresh oidc-provider asks here after it has spent the refresh token: a request that leaves resource out loses it.
function missing(ctx, client, oneOf) {
  if (ctx.oidc.route === 'resume' || ctx.oidc.route === 'device_resume') return oneOf;
  throw new errors.InvalidTarget('resource is missing');
}

function confidentialClient(o) {
  return {
    client_id: 'oidc-provider-confidential',
    client_secret: o.clientSecret,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
  };
}

// interactions signs the user in and consents to whatever is asked, so that a GET that follows redirects and keeps
// cookies is a whole sign-in.
function interactions(provider, user) {
  return async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next();
    const details = await provider.interactionDetails(ctx.req, ctx.res);
    const { prompt, params, session, grantId } = details;
    if (prompt.name === 'login') {
      const accountId = params.login_hint || user;
      return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId } }, { mergeWithLastSubmission: false });
    }
    const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    const { missingOIDCScope = [], missingOIDCClaims = [], missingResourceScopes = {} } = prompt.details;
    if (missingOIDCScope.length) grant.addOIDCScope(missingOIDCScope.join(' '));
    if (missingOIDCClaims.length) grant.addOIDCClaims(missingOIDCClaims);
    for (const [indicator, scopes] of Object.entries(missingResourceScopes)) grant.addResourceScope(indicator, scopes.join(' '));
    const consent = { grantId: await grant.save() };
    return provider.interactionFinished(ctx.req, ctx.res, { consent }, { mergeWithLastSubmission: true });
  };
}

// approveDevice is the person at the verification page, without the page.
export async function approveDevice(provider, userCode, user) {
  const code = await provider.DeviceCode.findByUserCode(userCode);
  const asked = (code.params.scope ?? '').split(' ').filter(Boolean);
  const grant = new provider.Grant({ accountId: user, clientId: code.clientId });
  grant.addOIDCScope(asked.filter((s) => SIGN_IN_SCOPES.includes(s)).join(' '));
  grant.addResourceScope(code.params.resource, asked.filter((s) => !SIGN_IN_SCOPES.includes(s)).join(' '));
  Object.assign(code, { accountId: user, grantId: await grant.save(), scope: asked.join(' '), resource: code.params.resource,
    authTime: Math.floor(Date.now() / 1000), acr: '0', amr: ['pwd'] });
  await code.save();
}
