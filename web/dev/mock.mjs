/**
 * The web UI without the product: `npm run build && npm run mock`, then open the printed address and
 * sign in with anything. `MOCK_PORT` (8080) and `MOCK_SETUP=1` (first start) are read.
 * A cookie `antiphon_session=<scene>[.fa][.agent]` shows one state; scenes are in `mock/scenes.mjs`.
 */
import { start } from './mock/server.mjs';

const mock = await start({ port: Number(process.env.MOCK_PORT ?? 8080), setup: process.env.MOCK_SETUP === '1' });
console.log(mock.url);
