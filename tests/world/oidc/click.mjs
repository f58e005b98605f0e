// A person at a real browser, Chromium, logging in at Keycloak's pages: node click.mjs URI USER_CODE PERSON PASSWORD FOLDER
// USER_CODE is - where the page asks for none. A picture of each page that was seen goes to FOLDER.
import { createRequire } from 'node:module';
import path from 'node:path';

const [uri, code, person, password, folder] = process.argv.slice(2);
const require = createRequire(path.join(process.env.HOOP_TEST_BROWSER, 'package.json'));
const { chromium } = require('playwright-core');
const browser = await chromium.launch({ executablePath: process.env.HOOP_TEST_CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
const page = await browser.newPage();
page.setDefaultTimeout(60_000);
await page.goto(uri);
const has = (selector) => page.locator(selector).count();
const next = (selector) => Promise.all([page.waitForEvent('load'), page.locator(selector).first().click()]);
let over = false;
for (let step = 1; step <= 8 && !over; step += 1) {
  await page.screenshot({ path: path.join(folder, `page-${step}.png`) });
  const text = await page.locator('body').innerText();
  if (/device login successful|logged in as|login failed|not logged in|sorry/i.test(text)) {
    over = true;
    console.log(text);
    process.exitCode = /device login successful|logged in as/i.test(text) ? 0 : 1;
  } else if (await has('input[name="device_user_code"]')) {
    await page.locator('input[name="device_user_code"]').fill(code);
    await next('input[type="submit"], button[type="submit"]');
  } else if (await has('input[name="username"]')) {
    await page.locator('input[name="username"]').fill(person);
    await page.locator('input[name="password"]').fill(password);
    await next('#kc-login');
  } else if (await has('[name="accept"]')) {
    await next('[name="accept"]');
  } else {
    console.error(page.url(), text);
    process.exitCode = 1;
    over = true;
  }
}
await browser.close();
if (!over) process.exitCode = 1;
