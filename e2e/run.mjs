// The whole product from outside: the real program, a real browser, real telephones.
//
//   node e2e/run.mjs [words of a test's name]
//
// One test after the other, each with a name and a deadline. What a failed test leaves behind is
// in target/e2e. EFFORT=full repeats more. The last line is the count.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Stage } from './lib/stage.mjs';
import { within } from './lib/wait.mjs';

const wanted = process.argv.slice(2).map((word) => word.toLowerCase());
const folder = join(import.meta.dirname, 'tests');
const count = { passed: 0, failed: 0, skipped: 0 };
const begun = Date.now();
const seconds = (since) => ((Date.now() - since) / 1_000).toFixed(1);

for (const file of readdirSync(folder).filter((name) => name.endsWith('.mjs')).sort()) {
  const { tests } = await import(join(folder, file));
  for (const test of tests) {
    const title = `${file} ${test.name}`.toLowerCase();
    if (!wanted.every((word) => title.includes(word))) continue;
    await runOne(test);
  }
}
console.log(`e2e: ${seconds(begun)} s, ${count.skipped} skipped`);
console.log(`${count.passed} passed, ${count.failed} failed`);
if (count.passed + count.failed + count.skipped === 0) console.log(`no test is called ${wanted.join(' ')}`);
process.exit(count.failed === 0 && count.passed + count.skipped > 0 ? 0 : 1);

async function runOne({ name, deadline_s, skip, run }) {
  const reason = await skip?.();
  if (reason) {
    // In CI everything was set up before: what is not there is a fault.
    count[process.env.CI === 'true' ? 'failed' : 'skipped'] += 1;
    console.log(`skipped: ${name}: ${reason}`);
    return;
  }
  const stage = new Stage();
  const since = Date.now();
  const say = (text) => console.log(`  ${name}: ${text}`);
  try {
    await within(name, run(stage, say), deadline_s * 1_000);
    if (stage.pageErrors.length > 0) throw new Error(stage.pageErrors.join('\n'));
    count.passed += 1;
    console.log(`ok      ${name} (${seconds(since)} s)`);
  } catch (error) {
    count.failed += 1;
    console.log(`FAILED  ${name} (${seconds(since)} s)\n${error.stack}`);
    console.log(`  see ${await stage.evidence(name).catch((fault) => fault.message)}`);
  }
  await within('the end of the stage', stage.end(), 20_000).catch((error) => {
    count.failed += 1;
    console.log(`FAILED  ${name}: ${error.message}`);
  });
}
