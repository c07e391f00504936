// What the parts with a real browser need of this machine.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../e2e/lib/program.mjs';

/** Why no page can be opened here, if so. */
export async function noPage(house) {
  if (!existsSync(process.env.CHROMIUM ?? '/usr/bin/chromium')) return 'there is no Chromium';
  if (!existsSync(join(ROOT, 'web/node_modules/playwright-core'))) return 'the browser has no driver: npm ci in web';
  const page = await (await fetch(house.http)).text();
  return page.includes('_app/') ? null : 'the program was built without its screens';
}
