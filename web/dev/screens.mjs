/**
 * Pictures of every screen: `npm run build && npm run screens -- [filter]`. They go to `SCREENS_OUT`
 * (`screens/` beside the repository's `web/`, which git ignores). `LANGS`, `THEMES`, `WIDTHS` narrow the set.
 */
import { mkdir } from 'node:fs/promises';
import { launch, Window } from './browser.mjs';
import { SCREENS } from './catalogue.mjs';

const out = process.env.SCREENS_OUT ?? new URL('../../screens/', import.meta.url).pathname;
const list = (name, all) => (process.env[name] ? process.env[name].split(',') : all);
const filter = process.argv[2] ?? '';
await mkdir(out, { recursive: true });

const browser = await launch();
let failed = 0;
for (const lang of list('LANGS', ['en', 'fa'])) for (const theme of list('THEMES', ['light', 'dark'])) for (const width of list('WIDTHS', ['1440', '390'])) {
  const window = new Window(browser, { lang, theme, width: Number(width) });
  for (const screen of SCREENS.filter((one) => one.name.match(filter))) {
    const problems = await window.show(screen, async (page) => {
      await page.waitForTimeout(150);
      await page.screenshot({ path: `${out}/${screen.name}-${lang}-${theme}-${width}.png` });
    });
    if (problems.length === 0) continue;
    failed += 1;
    console.log(`${screen.name} ${lang} ${theme} ${width}: ${problems.join(' | ').slice(0, 500)}`);
  }
  await window.close();
}
await browser.close();
console.log(failed === 0 ? 'all screens drawn' : `${failed} with problems`);
process.exit(failed === 0 ? 0 : 1);
