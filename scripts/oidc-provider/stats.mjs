// What the servers were asked, in the words of the Stats of internal/fakeworld, so that one test can read either.
const SECRETS = ['code', 'code_verifier', 'refresh_token', 'client_secret', 'device_code', 'token', 'client_assertion'];

export class Stats {
  constructor() {
    this.reset();
  }

  reset() {
    Object.assign(this, {
      http: {}, token: {}, token_ok: {}, mcp: {}, registrations: 0, authorizations: 0, revocations: 0, reuse: 0,
      grants_revoked: 0, token_requests: [],
    });
  }

  count(table, name) {
    this[table][name] = (this[table][name] ?? 0) + 1;
  }

  // watch books what a provider does.
  watch(provider) {
    provider.use(async (ctx, next) => {
      this.count('http', `${ctx.method} ${ctx.path.replace(/\/[\w-]{43}$/, '/:id')}`);
      await next();
      if (ctx.oidc?.route === 'token') this.bookToken(ctx);
      if (ctx.oidc?.route === 'revocation' && ctx.status === 200) this.revocations += 1;
    });
    provider.on('grant.error', (ctx, err) => { if (/already (used|consumed)/.test(err.error_detail)) this.reuse += 1; });
    provider.on('registration_create.success', () => { this.registrations += 1; });
    provider.on('authorization_code.saved', (code) => { if (!code.consumed) this.authorizations += 1; });
    provider.on('grant.revoked', () => { this.grants_revoked += 1; });
  }

  bookToken(ctx) {
    const params = Object.fromEntries(Object.entries(ctx.oidc.body ?? {}).filter(([name]) => !SECRETS.includes(name)).map(([name, value]) => [name, [value].flat()]));
    const grant = params.grant_type?.[0] ?? '';
    this.count('token', grant);
    if (ctx.status === 200) this.count('token_ok', grant);
    this.token_requests.push({
      grant_type: grant, client_id: ctx.oidc.client?.clientId ?? '', auth_method: ctx.oidc.client?.clientAuthMethod ?? '',
      params, error: ctx.status === 200 ? undefined : ctx.body?.error,
    });
  }
}
