// What a person does in a browser to log in, without one: node browser.mjs URI USER_CODE PERSON; USER_CODE is - where the page asks for none
// Follows redirects and fills in each form that the provider shows, with a cookie jar.
const [start, code, person] = process.argv.slice(2);
const cookies = new Map();

async function visit(url, init = {}) {
  for (let hops = 0; hops < 20; hops += 1) {
    const headers = { ...(init.headers ?? {}), cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
    // The provider may close an idle connection just when it is used again.
    const ask = () => fetch(url, { ...init, headers, redirect: 'manual' });
    const answer = await ask().catch(ask);
    for (const line of answer.headers.getSetCookie()) {
      const [pair] = line.split(';');
      const at = pair.indexOf('=');
      cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const next = answer.headers.get('location');
    if (!next) return { url, status: answer.status, text: await answer.text() };
    url = new URL(next, url).href;
    init = {};
  }
  throw new Error('too many redirects');
}

function form(page) {
  const action = /<form[^>]*action="([^"]*)"/.exec(page.text)?.[1];
  if (action === undefined) return undefined;
  const fields = new URLSearchParams();
  for (const [input] of page.text.matchAll(/<input[^>]*>/g)) {
    const name = /name="([^"]*)"/.exec(input)?.[1];
    if (name) fields.set(name, /value="([^"]*)"/.exec(input)?.[1] ?? '');
  }
  return { url: new URL(action.replaceAll('&amp;', '&'), page.url).href, fields };
}

let page = await visit(start);
for (let step = 0; step < 8; step += 1) {
  const next = form(page);
  if (!next) break;
  if (next.fields.has('user_code')) next.fields.set('user_code', code);
  if (next.fields.has('login')) { next.fields.set('login', person); next.fields.set('password', 'any'); }
  if (next.fields.has('abort')) next.fields.delete('abort');
  next.fields.delete('logout');
  page = await visit(next.url, { method: 'POST', body: next.fields, headers: { 'content-type': 'application/x-www-form-urlencoded' } });
}
if (page.status >= 400 || !/success|continue on your device|signed in|sign-in success|logged in as/i.test(page.text)) {
  console.error(page.status, page.url, page.text.replace(/<style[\s\S]*?<\/style>/g, '').slice(0, 1500));
  process.exit(1);
}
