// A real OpenID provider (npm's oidc-provider) for the tests: node provider.mjs PORT [no-device]
// Prints {"issuer"} when ready, then a line with the tokens of every grant, so that a test can look for where they must not be.
// People: carol (groups platform and dba, verified mail), frank (engineers), dave (mail not verified), erin (overage instead of groups),
// judy (one group as a string), grace (nested groups), heidi (carol's mail, another sub), ivan (engineers at first, guests from then on).
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const require = createRequire(path.join(process.env.HOOP_TEST_OIDC, 'package.json'));
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);
const port = Number(process.argv[2]);
const device = process.argv[3] !== 'no-device';
const issuer = `http://127.0.0.1:${port}`;

const people = {
  carol: { email: 'carol@example.com', email_verified: true, groups: ['platform', 'dba'] },
  frank: { email: 'frank@example.com', email_verified: true, groups: ['engineers'] },
  dave: { email: 'dave@example.com', email_verified: false, groups: ['platform'] },
  erin: { email: 'erin@example.com', email_verified: true, _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://example.com' } } },
  judy: { email: 'judy@example.com', email_verified: true, groups: 'platform, dba' },
  grace: { email: 'grace@example.com', email_verified: true, realm_access: { roles: ['dba'] } },
  heidi: { email: 'carol@example.com', email_verified: true, groups: ['platform'] },
  ivan: { email: 'ivan@example.com', email_verified: true, groups: ['engineers'] },
};

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'hoopctl',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token', ...(device ? ['urn:ietf:params:oauth:grant-type:device_code'] : [])],
    redirect_uris: ['http://127.0.0.1/callback'],
    response_types: ['code'],
  }],
  conformIdTokenClaims: false,
  claims: { openid: ['sub', 'groups', 'realm_access', '_claim_names', '_claim_sources'], email: ['email', 'email_verified'] },
  cookies: { keys: ['only for tests'] },
  features: { deviceFlow: { enabled: device }, devInteractions: { enabled: true } },
  // A refresh token comes whether it was asked for or not.
  issueRefreshToken: () => true,
  findAccount: (_, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
  ttl: { DeviceCode: 60 },
});
provider.on('grant.success', ({ oidc, body }) => {
  console.log(JSON.stringify({ tokens: [body.access_token, body.refresh_token, body.id_token].filter(Boolean) }));
  if (oidc.account?.accountId === 'ivan') people.ivan.groups = ['guests'];
});
provider.listen(port, '127.0.0.1', () => console.log(JSON.stringify({ issuer })));
process.stdin.resume().on('end', () => process.exit(0));
