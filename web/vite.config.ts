import { paraglideVitePlugin } from '@inlang/paraglide-js';
import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` and `vite preview` find the server: the product, or `npm run mock`. */
const server = process.env.ANTIPHON_SERVER ?? 'http://127.0.0.1:8080';
// The server takes commands and sockets from its own origin alone: the proxy speaks as a page of it.
const proxy = { '/api': { target: server, ws: true, changeOrigin: true, headers: { origin: new URL(server).origin } } };

/** SvelteKit's route announcer carries a style attribute, which `style-src 'self'` forbids: a class does the same. */
function noInlineStyle(): Plugin {
  return {
    name: 'antiphon-no-inline-style',
    enforce: 'pre',
    transform(code, id) {
      if (!id.endsWith('generated/root.svelte')) return null;
      if (!code.includes('id="svelte-announcer"')) throw new Error('the route announcer was not found');
      return { code: code.replace(/(id="svelte-announcer"[^>]*?) style="[^"]*"/, '$1 class="vh"'), map: null };
    }
  };
}

/** Unit tests draw nothing and find the words compiled (`npm test`): a compiler that still runs keeps Vite from closing. */
const drawing = process.env.VITEST
  ? []
  : [
      noInlineStyle(),
      tailwindcss(),
      paraglideVitePlugin({
        project: './project.inlang',
        outdir: './src/lib/paraglide',
        strategy: ['localStorage', 'preferredLanguage', 'baseLocale']
      })
    ];

export default defineConfig({
  plugins: [...drawing, sveltekit()],
  server: { proxy },
  preview: { proxy },
  build: { target: 'es2022', assetsInlineLimit: 0 },
  // The first test of a file pays for compiling what it imports, on a busy machine too.
  test: { include: ['src/**/*.test.ts', 'tests/**/*.test.ts'], environment: 'node', testTimeout: 30_000 }
});
