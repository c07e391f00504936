/**
 * Every screen of the catalogue in a real browser under the product's security policy: nothing runs
 * out of its box, the direction is right, axe finds nothing serious, the console stays silent.
 * `npm run build && npm run test:screens -- [filter]`; EFFORT=full takes both sizes, themes and languages.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { launch, Window } from '../dev/browser.mjs';
import { SCREENS } from '../dev/catalogue.mjs';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const CI = [{ lang: 'en', theme: 'light', width: 1440 }, { lang: 'fa', theme: 'dark', width: 390 }];
const FULL = ['en', 'fa'].flatMap((lang) => ['light', 'dark'].flatMap((theme) => [1440, 390].map((width) => ({ lang, theme, width }))));
const filter = process.argv[2] ?? '';

/** Runs in the page: what is out of its box, cut without an ellipsis, or in the wrong direction. */
function inspect(lang) {
  const faults = [];
  const root = document.documentElement;
  const name = (element) => `${element.tagName.toLowerCase()}.${String(element.className.baseVal ?? element.className).split(' ').slice(0, 3).join('.')} "${(element.textContent ?? '').trim().slice(0, 40)}"`;
  if (root.dir !== (lang === 'fa' ? 'rtl' : 'ltr') || root.lang !== lang) faults.push(`direction ${root.dir} ${root.lang}`);
  if (root.scrollWidth > innerWidth || scrollX !== 0 || document.body.scrollLeft !== 0) faults.push(`page is ${root.scrollWidth} wide, scrolled ${scrollX}/${document.body.scrollLeft}`);
  if (document.body.scrollHeight > innerHeight + 1) faults.push(`page is ${document.body.scrollHeight} high`);
  const scrolls = (element) => element !== null && (/(auto|scroll)/.test(getComputedStyle(element).overflowX + getComputedStyle(element).overflowY) || scrolls(element.parentElement));
  for (const element of document.querySelectorAll('body *')) {
    const style = getComputedStyle(element);
    if (style.visibility === 'hidden' || style.display === 'none' || element.closest('svg, .vh, .contents > [aria-hidden]')) continue;
    const box = element.getBoundingClientRect();
    if (box.width === 0 || box.height === 0 || style.opacity === '0') continue;
    if ((box.left < -1 || box.right > innerWidth + 1) && !scrolls(element.parentElement)) faults.push(`outside: ${name(element)} ${Math.round(box.left)}..${Math.round(box.right)}`);
    if (element.matches('.menu:not([role="listbox"])') && element.scrollHeight > element.clientHeight + 1 && box.height < innerHeight * 0.6) faults.push(`hides its end though there is room: ${name(element)}`);
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const ellipsis = style.textOverflow === 'ellipsis' || element.closest('.cut');
    if (own && !ellipsis && style.overflowX !== 'visible' && !/(auto|scroll)/.test(style.overflowX) && element.scrollWidth > element.clientWidth + 1) faults.push(`clipped: ${name(element)}`);
    if (element.matches('button, .btn, .fchip, .chip, .input') && style.overflowX === 'visible') {
      const out = [...element.children].find((child) => { const inner = child.getBoundingClientRect(); return inner.width > 1 && getComputedStyle(child).position !== 'absolute' && (inner.left < box.left - 1 || inner.right > box.right + 1); });
      if (out) faults.push(`holds too much: ${name(element)}`);
    }
    if (own && !element.closest('.cut, .scroll, table, textarea, option, select, .seg, .tick') && ['BUTTON', 'A', 'H1', 'H2', 'LABEL'].includes(element.tagName) && element.scrollWidth > element.clientWidth + 1 && style.display !== 'inline') faults.push(`runs over: ${name(element)}`);
  }
  return faults.slice(0, 6);
}

async function audit(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations.filter((one) => ['serious', 'critical'].includes(one.impact)).map((one) => `axe ${one.id}: ${one.nodes.slice(0, 3).map((node) => node.target.join(' ')).join(', ')} (${one.nodes[0]?.any[0]?.message ?? one.help})`);
}

/** Pages that are open at once; a page mostly waits, for fonts and for the network to be still. */
const PAGES = Number(process.env.PAGES ?? 4);
const browser = await launch();
const VIEWS = process.env.EFFORT === 'full' ? FULL : CI;
const work = new Map(VIEWS.map((view) => [view, SCREENS.filter((one) => one.name.match(filter))]));
let passed = 0;
let failed = 0;

async function check(window, { screen, view }) {
  const problems = await window.show(screen, async (page) => [...(await page.evaluate(inspect, view.lang)), ...(await audit(page))]);
  if (problems.length === 0) passed += 1;
  else {
    failed += 1;
    console.log(`FAILED ${screen.name} ${view.lang} ${view.theme} ${view.width}\n  ${problems.join('\n  ').slice(0, 1500)}`);
  }
}

/** Takes screens of one view after the other, in one window each, until none is left. */
async function take() {
  for (const view of VIEWS) {
    const window = new Window(browser, view);
    const own = work.get(view);
    for (let screen = own.shift(); screen; screen = own.shift()) await check(window, { screen, view });
    await window.close();
  }
}

await Promise.all(Array.from({ length: PAGES }, take));
await browser.close();
console.log(`screens: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
