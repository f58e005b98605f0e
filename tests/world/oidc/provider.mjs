// A real OpenID provider (npm's oidc-provider) for the tests: node provider.mjs PORT
// People: carol (groups platform and dba, verified mail), frank (engineers), dave (mail not verified), erin (overage instead of groups).
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const require = createRequire(path.join(process.env.HOOP_TEST_OIDC, 'package.json'));
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);
const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;

const people = {
  carol: { email: 'carol@example.com', email_verified: true, groups: ['platform', 'dba'] },
  frank: { email: 'frank@example.com', email_verified: true, groups: ['engineers'] },
  dave: { email: 'dave@example.com', email_verified: false, groups: ['platform'] },
  erin: { email: 'erin@example.com', email_verified: true, _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://example.com' } } },
};

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'hoopctl',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
    redirect_uris: [],
    response_types: [],
  }],
  conformIdTokenClaims: false,
  claims: { openid: ['sub', 'groups', '_claim_names', '_claim_sources'], email: ['email', 'email_verified'] },
  cookies: { keys: ['only for tests'] },
  features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true } },
  findAccount: (_, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
  ttl: { DeviceCode: 60 },
});
provider.listen(port, '127.0.0.1', () => console.log(JSON.stringify({ issuer })));
process.stdin.resume().on('end', () => process.exit(0));
