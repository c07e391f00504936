import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import adapterStatic from '@sveltejs/adapter-static';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/**
 * A static single-page app without inline scripts: SvelteKit writes its start-up code into the page,
 * so it is moved to a file of its own. The server can then send `script-src 'self'` and need no hash.
 */
function adapter() {
  const inner = adapterStatic({ pages: 'build', assets: 'build', fallback: 'index.html' });
  return {
    ...inner,
    async adapt(/** @type {import('@sveltejs/kit').Builder} */ builder) {
      await inner.adapt(builder);
      const page = await readFile('build/index.html', 'utf8');
      let moved = '';
      const html = page.replace(/<script>([\s\S]*?)<\/script>/g, (_whole, code) => {
        const name = `boot-${createHash('sha256').update(code).digest('hex').slice(0, 12)}.js`;
        moved = `${moved}${code}`;
        return `<script src="/_app/${name}"></script>`;
      });
      if (!moved) throw new Error('the start-up script was not found in index.html');
      const name = /\/_app\/(boot-\w+\.js)/.exec(html)?.[1];
      await mkdir('build/_app', { recursive: true });
      await writeFile(`build/_app/${name}`, moved);
      await writeFile('build/index.html', html);
    }
  };
}

/** @type {import('@sveltejs/kit').Config} */
export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true },
  kit: {
    adapter: adapter(),
    paths: { relative: false },
    version: { pollInterval: 0 }
  }
};
