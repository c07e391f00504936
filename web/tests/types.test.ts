import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

it('has types of the API as it is: `npm run types` writes them', () => {
  const check = () => execFileSync('npm', ['run', '--silent', 'types', '--', '--check'], { cwd: new URL('..', import.meta.url), stdio: 'pipe' });
  expect(check).not.toThrow();
}, 30_000);
