/**
 * Pictures of every screen: `npm run build && npm run screens -- [filter]`. They go to `SCREENS_OUT`
 * (`screens/` beside the repository's `web/`, which git ignores). `LANGS`, `THEMES`, `WIDTHS` narrow the set.
 */
import { mkdir } from 'node:fs/promises';
import { FROZEN, launch, settle, visitor } from './browser.mjs';
import { SCREENS } from './catalogue.mjs';
import { start } from './mock/server.mjs';

const out = process.env.SCREENS_OUT ?? new URL('../../screens/', import.meta.url).pathname;
const list = (name, all) => (process.env[name] ? process.env[name].split(',') : all);
const filter = process.argv[2] ?? '';
await mkdir(out, { recursive: true });

const browser = await launch();
let failed = 0;
for (const screen of SCREENS.filter((one) => one.name.match(filter))) {
  for (const lang of list('LANGS', ['en', 'fa'])) for (const theme of list('THEMES', ['light', 'dark'])) for (const width of list('WIDTHS', ['1440', '390'])) {
    const mock = await start({ frozen: FROZEN, setup: screen.setup ?? false });
    const { context, page, problems } = await visitor(browser, mock.url, { scene: screen.scene, silent: screen.silent, denied: screen.denied, lang, theme, width });
    try {
      await settle(page, screen, mock);
      await page.waitForTimeout(150);
      await page.screenshot({ path: `${out}/${screen.name}-${lang}-${theme}-${width}.png` });
    } catch (error) {
      problems.push(String(error));
    }
    if (problems.length > 0) {
      failed += 1;
      console.log(`${screen.name} ${lang} ${theme} ${width}: ${problems.join(' | ').slice(0, 500)}`);
    }
    await context.close();
    await mock.close();
  }
}
await browser.close();
console.log(failed === 0 ? 'all screens drawn' : `${failed} with problems`);
process.exit(failed === 0 ? 0 : 1);
