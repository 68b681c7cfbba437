// oidc-provider on loopback: node provider.mjs FOLDER SETTINGS. FOLDER holds node_modules; the first line printed is the issuer.
// SETTINGS is JSON: port (0: a free one), clients, inToken, true if the ID token itself
// names the person, and methods, how a client may prove who it is.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, settings] = [process.argv[2], JSON.parse(process.argv[3])];
const main = pathToFileURL(resolve(folder, 'node_modules/oidc-provider/lib/index.js'));
const { Provider } = await import(main.href);

// Keys are new at every start, so a second start on the same port is a rotation.
const key = (alg, kind, options) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }),
  use: 'sig',
  alg,
  kid: `${alg}-${process.pid}`,
});
const keys = [
  key('RS256', 'rsa', { modulusLength: 2048 }),
  key('PS256', 'rsa', { modulusLength: 2048 }),
  key('ES256', 'ec', { namedCurve: 'P-256' }),
  key('Ed25519', 'ed25519'),
  key('EdDSA', 'ed25519'),
];

const server = createServer();
server.listen(settings.port, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: settings.clients,
    jwks: { keys },
    cookies: { keys: ['only for tests'] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], profile: ['preferred_username', 'name'] },
    conformIdTokenClaims: !settings.inToken,
    clientAuthMethods: settings.methods,
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'Ed25519', 'EdDSA'] },
    // Its page of signing in takes any name, with any password.
    findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id, name: id }) }),
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
