// A real authorization server (npm oidc-provider: rotation with reuse detection that revokes the whole grant, dynamic
// registration, device flow, resource indicators, opaque tokens) and a protected server that trusts it, on loopback.
//
//   ./start.sh [--access-ttl 5] [--refresh-ttl 86400] [--scopes "mcp:read mcp:write"] [--user alice] [--client-secret ...] [--dpop]
//
// Times are seconds. With --dpop both servers demand tokens that are bound to a key, the first with its nonces.
// It prints one line of JSON when it is ready, {"server", "issuer", "control"}, and ends with its stdin or by SIGTERM. Whoever opens an authorization URL and follows redirects has approved. The control listener:
//
//   GET  /_stats     what was asked, see stats.mjs
//   POST /_control   {"approve_devices": true, "revoke_all": true, "expire_access": true, "reset_stats": true,
//                     "token_delay_ms": 0, "cut_answers": false}; the delay comes after the processing of a token request,
//                     before its answer, which "cut_answers" has break off
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import { newProvider, approveDevice } from './provider.mjs';
import { protectedServer, json } from './resource.mjs';
import { Stats } from './stats.mjs';
import { forget, waitingUserCodes } from './store.mjs';

const { values } = parseArgs({
  options: {
    'access-ttl': { type: 'string', default: '5' },
    'refresh-ttl': { type: 'string', default: '86400' },
    scopes: { type: 'string', default: 'mcp:read mcp:write' },
    user: { type: 'string', default: 'alice' },
    dpop: { type: 'boolean', default: false },
    'client-secret': { type: 'string', default: 'cs_only-for-tests-0123456789abcdef' },
  },
});
const options = {
  accessTTL: Number(values['access-ttl']), refreshTTL: Number(values['refresh-ttl']), scopes: values.scopes,
  user: values.user, clientSecret: values['client-secret'], dpop: values.dpop,
};

// listen gives a server on a free loopback port, whose handler is set once all ports are known.
async function listen() {
  const server = createServer();
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { server, url: `http://127.0.0.1:${server.address().port}` };
}

const [authorization, mcp, control] = await Promise.all([listen(), listen(), listen()]);
const resource = `${mcp.url}/mcp`;
const stats = new Stats();
const knobs = { token_delay_ms: 0, cut_answers: false };

const provider = newProvider(authorization.url, resource, options);
stats.watch(provider);
provider.use(async (ctx, next) => {
  await next();
  if (ctx.oidc?.route === 'token' && knobs.token_delay_ms > 0) await pause(knobs.token_delay_ms);
  if (ctx.oidc?.route === 'token' && knobs.cut_answers) ctx.req.socket.destroy();
});

async function obey({ approve_devices, revoke_all, expire_access, reset_stats, ...rest }) {
  const unknown = Object.keys(rest).filter((name) => !(name in knobs));
  if (unknown.length) throw new Error(`unknown: ${unknown}`);
  Object.assign(knobs, rest);
  if (approve_devices) for (const userCode of waitingUserCodes()) await approveDevice(provider, userCode, options.user);
  if (revoke_all) forget('Grant', 'RefreshToken', 'AccessToken', 'AuthorizationCode', 'Session');
  if (expire_access) forget('AccessToken', 'ClientCredentials');
  if (reset_stats) stats.reset();
}

async function serveControl(req, res) {
  if (req.method === 'GET' && req.url === '/_stats') return json(res, 200, stats);
  if (req.method !== 'POST' || req.url !== '/_control') return json(res, 404, {});
  try {
    await obey(JSON.parse(Buffer.concat(await req.toArray())));
    return json(res, 200, {});
  } catch (err) {
    return json(res, 400, { error: String(err) });
  }
}

authorization.server.on('request', provider.callback());
mcp.server.on('request', protectedServer(mcp.url, resource, authorization.url, options, provider, stats));
control.server.on('request', serveControl);

process.stdin.on('close', () => process.exit(0)).on('end', () => process.exit(0)).resume();
console.log(JSON.stringify({ server: resource, issuer: authorization.url, control: control.url }));
