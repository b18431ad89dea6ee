// The lab's second IdM: a certified OpenID provider (https://openid.net/certification), which says of people what a
// Keyrock says. Its `/user` is OpenID Connect's userinfo endpoint, where a token may be in the query, as at Keyrock's.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import { Provider, interactionPolicy } from 'oidc-provider';

const { FLAVORSYNC_LAB_PORT: port, FLAVORSYNC_LAB_ACCESS_LOG: log, FLAVORSYNC_LAB_PEOPLE: file } = process.env;
const { client_id, client_secret } = JSON.parse(readFileSync(file));

// Whom the application is for; read anew each time: roles are given and taken while this runs.
function people() {
  const known = Object.values(JSON.parse(readFileSync(file)).people);
  return known.filter(({ app_id, id }) => app_id === client_id && id);
}

// Whoever signs in says each time who they are: a browser can be several people, one after the other.
function policy() {
  const prompts = interactionPolicy.base();
  prompts.remove('consent');
  prompts.get('login').checks.add(
    new interactionPolicy.Check('each_time', 'Whoever signs in says who they are', (ctx) => !ctx.oidc.result?.login),
  );
  return prompts;
}

async function grantOf(ctx) {
  const { client, provider, session } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope('openid');
  await grant.save();
  return grant;
}

const provider = new Provider(`http://127.0.0.1:${port}`, {
  acceptQueryParamAccessTokens: true,
  claims: { openid: [...new Set(['sub', ...people().flatMap(Object.keys)])] },
  clients: [{
    client_id,
    client_secret,
    application_type: 'native', // so that it may be at any port of this machine (RFC 8252, 7.3)
    redirect_uris: ['127.0.0.1', 'localhost'].map((host) => `http://${host}/sign-in/keyrock/back`),
  }],
  cookies: { keys: [randomBytes(32).toString('hex')] },
  features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
  findAccount: (ctx, id) => {
    const person = people().find((one) => one.id === id);
    return person && { accountId: id, claims: () => ({ ...person, sub: id }) };
  },
  interactions: { policy: policy(), url: (ctx, interaction) => `/who/${interaction.uid}` },
  jwks: { keys: [generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })] },
  loadExistingGrant: grantOf,
  routes: { userinfo: '/user' },
});

// One line for each request, written before it is answered, as lab/access_log.py does.
provider.use((ctx, next) => {
  const caller = ctx.get('User-Agent').startsWith('flavorsync-lab') ? 'lab' : 'service';
  const request = `${ctx.method} ${ctx.path.replace(/^\/(auth|who)\/.+/, '/$1/{id}')}`;
  appendFileSync(log, `${JSON.stringify({ at: new Date().toISOString(), caller, request, path: ctx.path })}\n`);
  return next();
});

// A button for each of the people, in the place of a form for their password.
provider.use(async (ctx, next) => {
  if (ctx.path === '/') {
    ctx.body = 'OpenID provider of the lab';
  } else if (!ctx.path.startsWith('/who/')) {
    await next();
  } else if (ctx.query.user) {
    const login = { accountId: people().find((one) => one.username === ctx.query.user)?.id };
    ctx.respond = false;
    await provider.interactionFinished(ctx.req, ctx.res, { login });
  } else {
    const buttons = people().map(({ username }) => `<button name="user" value="${username}">${username}</button>`);
    ctx.type = 'html';
    ctx.body = `<!DOCTYPE html><title>OpenID provider</title><form>${buttons.join('')}</form>`;
  }
});

provider.listen(port, '127.0.0.1');
