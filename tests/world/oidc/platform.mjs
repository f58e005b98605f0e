// What CI platforms and clusters do for their jobs' identity, with the shapes of their real messages: node platform.mjs PORT [CERTIFICATE KEY]
// With a certificate and its key (PEM files) the issuer speaks TLS, and tests mint at another port, in the clear.
// Prints {"issuer", "mint", "runtime"}: the issuer's URL, and the token with which a GitHub job asks for its own.
//   GET  /.well-known/openid-configuration, /jwks   as issuers publish them
//   GET  /idtoken?api-version=2.0&audience=A        GitHub Actions: the URL of ACTIONS_ID_TOKEN_REQUEST_URL, with the runtime's bearer
//   POST /mint {shape, claims, header, sign}        a token as the test wants it, forged ones too
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { createHmac, generateKeyPairSync, randomUUID, sign } from 'node:crypto';

const port = Number(process.argv[2]);
const [certificate, key] = process.argv.slice(3);
const issuer = `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`;
const runtime = `runtime-${randomUUID()}`;
const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 });
const kid = 'key-of-the-platform';
const jwks = { keys: [{ ...own.publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] };

// GitHub: "OpenID Connect reference", the claims of an OIDC token; every id is a string.
const github = (aud, now) => ({
  jti: randomUUID(), sub: 'repo:acme/shop:ref:refs/heads/main', aud, ref: 'refs/heads/main',
  sha: '6f9c2b1de0a1b2c3d4e5f60718293a4b5c6d7e8f', repository: 'acme/shop', repository_owner: 'acme',
  repository_owner_id: '65', run_id: '9876543210', run_number: '10', run_attempt: '2', repository_visibility: 'private',
  repository_id: '123456789', actor_id: '12', actor: 'ana', workflow: 'report', head_ref: '', base_ref: '',
  event_name: 'workflow_dispatch', ref_protected: 'true', ref_type: 'branch',
  workflow_ref: 'acme/shop/.github/workflows/report.yml@refs/heads/main', workflow_sha: '6f9c2b1de0a1b2c3d4e5f60718293a4b5c6d7e8f',
  job_workflow_ref: 'acme/shop/.github/workflows/report.yml@refs/heads/main', runner_environment: 'github-hosted',
  iss: issuer, nbf: now - 600, exp: now + 300, iat: now,
});
// GitLab: "ID token authentication", the payload; ids are strings, the runner's is a number.
const gitlab = (aud, now) => ({
  namespace_id: '72', namespace_path: 'acme', project_id: '4711', project_path: 'acme/shop', user_id: '1', user_login: 'ana',
  user_email: 'ana@example.com', user_access_level: 'developer', pipeline_id: '574', pipeline_source: 'push', job_id: '302',
  ref: 'main', ref_type: 'branch', ref_path: 'refs/heads/main', ref_protected: 'true', runner_id: 1,
  runner_environment: 'self-hosted', sha: '714a629c0b401fdce83e847fc9589983fc6f46bc', project_visibility: 'private',
  ci_config_ref_uri: 'gitlab.example.com/acme/shop//.gitlab-ci.yml@refs/heads/main', ci_config_sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
  jti: randomUUID(), iat: now, nbf: now - 5, exp: now + 3600, iss: issuer,
  sub: 'project_path:acme/shop:ref_type:branch:ref:main', aud,
});
// Kubernetes: the token of a projected volume (TokenRequest API): an array of audiences, nested claims, no `typ`.
const kubernetes = (aud, now) => ({
  aud: [aud], exp: now + 607, iat: now, iss: issuer, jti: randomUUID(),
  'kubernetes.io': {
    namespace: 'shop', node: { name: 'node-1', uid: randomUUID() }, pod: { name: 'report-x2k9p', uid: randomUUID() },
    serviceaccount: { name: 'report', uid: randomUUID() },
  },
  nbf: now, sub: 'system:serviceaccount:shop:report',
});
const shapes = { github, gitlab, kubernetes };

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function mint({ shape = 'github', aud = 'hoop', claims = {}, payload, header = {}, how = 'own' }) {
  const now = Math.floor(Date.now() / 1000);
  const all = { ...shapes[shape](aud, now), ...claims };
  // JSON.stringify leaves out what is undefined; a claim that the test takes away comes as null and a mark.
  for (const name of Object.keys(all)) if (all[name] === '(absent)') delete all[name];
  const head = { ...(shape === 'kubernetes' ? {} : { typ: 'JWT' }), alg: 'RS256', kid, ...header };
  const message = `${encode(head)}.${encode(payload ?? all)}`;
  const publicPem = own.publicKey.export({ type: 'spki', format: 'pem' });
  switch (how) {
    case 'own': return `${message}.${sign('sha256', Buffer.from(message), own.privateKey).toString('base64url')}`;
    case 'foreign': return `${message}.${sign('sha256', Buffer.from(message), foreign.privateKey).toString('base64url')}`;
    case 'hmac': return `${message}.${createHmac('sha256', publicPem).update(message).digest('base64url')}`;
    case 'none': return `${message}.AA`;
    default: throw new Error(how);
  }
}

const answer = (request, response) => {
  const url = new URL(request.url, issuer);
  const send = (status, body) => { response.writeHead(status, { 'content-type': 'application/json' }); response.end(JSON.stringify(body)); };
  if (url.pathname === '/.well-known/openid-configuration') {
    return send(200, { issuer, jwks_uri: `${issuer}/jwks`, response_types_supported: ['id_token'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'] });
  }
  if (url.pathname === '/jwks') return send(200, jwks);
  if (url.pathname === '/idtoken') {
    if (request.headers.authorization?.toLowerCase() !== `bearer ${runtime}`) return send(401, { message: 'unauthorized' });
    if (url.searchParams.get('api-version') !== '2.0') return send(400, { message: 'no api-version' });
    const value = mint({ aud: url.searchParams.get('audience') ?? 'https://github.com/acme' });
    return send(200, { count: value.length, value });
  }
  if (url.pathname === '/mint') {
    let body = '';
    request.on('data', (chunk) => { body += chunk; }).on('end', () => { response.end(mint(JSON.parse(body))); });
    return undefined;
  }
  return send(404, {});
};
if (certificate) {
  createTlsServer({ cert: readFileSync(certificate), key: readFileSync(key) }, answer).listen(port, '127.0.0.1', () => {
    const clear = createServer(answer).listen(0, '127.0.0.1', () => {
      console.log(JSON.stringify({ issuer, mint: `http://127.0.0.1:${clear.address().port}`, runtime }));
    });
  });
} else {
  createServer(answer).listen(port, '127.0.0.1', () => console.log(JSON.stringify({ issuer, mint: issuer, runtime })));
}
process.stdin.resume().on('end', () => process.exit(0));
