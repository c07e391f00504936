// The page's side of the proof: the product's own `Phone`, bundled by the web project's Vite, with
// a signalling that `proof.mjs` answers and a recorder of what the page says and hears.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Runs in the page, with `Phone` and `browserPlatform` in scope. */
const IN_PAGE = `
const RATE = 8000;
const RECORDER = \`registerProcessor('recorder', class extends AudioWorkletProcessor {
  process([local, remote]) {
    const silence = new Float32Array(128);
    this.port.postMessage([local[0] ?? silence, remote[0] ?? silence]);
    return true;
  }
})\`;

const listeners = new Set();
const signalling = {
  epoch: Date.now(),
  send: (frame) => (globalThis.toServer(frame), true),
  listen: (listener) => (listeners.add(listener), () => listeners.delete(listener))
};

// The platform as it is, but for a look at the newest connection and its microphone.
const platform = browserPlatform();
let connection;
let microphone;
const phone = new Phone(signalling, {
  ...platform,
  connection: (track) => {
    microphone = track;
    return (connection = platform.connection(track));
  }
});

async function recorder() {
  const context = new AudioContext({ sampleRate: RATE });
  const code = URL.createObjectURL(new Blob([RECORDER], { type: 'text/javascript' }));
  await context.audioWorklet.addModule(code);
  const node = new AudioWorkletNode(context, 'recorder', { numberOfInputs: 2, numberOfOutputs: 0 });
  const listen = (track, input) =>
    context.createMediaStreamSource(new MediaStream([track])).connect(node, 0, input);
  listen(microphone, 0);
  listen(connection.remote, 1);
  return { node, close: () => context.close() };
}

globalThis.proof = {
  phone,
  receive: (frame) => listeners.forEach((listener) => listener(frame)),
  start: (how) => phone.start(how),
  look: () => ({
    state: phone.state, muted: phone.muted, silent: phone.silent, fault: phone.fault,
    inputLevel: phone.inputLevel, outputLevel: phone.outputLevel,
    deviceLabel: phone.deviceLabel, devices: phone.devices.length, needsGesture: phone.needsGesture
  }),
  async hear(seconds) {
    const { node, close } = await recorder();
    const heard = { local: [], remote: [] };
    await new Promise((resolve) => {
      node.port.onmessage = ({ data: [local, remote] }) => {
        heard.local.push(...local);
        heard.remote.push(...remote);
        if (heard.remote.length >= seconds * RATE) resolve();
      };
    });
    node.port.onmessage = null;
    await close();
    return heard;
  },
  keys: (keys) => [...keys].every((key) => phone.digit(key))
};
`;

/** The bundle as text. `web` is the folder of the web project, with its node_modules. */
export async function pageScript(web) {
  const { resolve } = createRequire(join(web, 'package.json'));
  const load = (name) => import(pathToFileURL(resolve(name)).href);
  const [{ build }, { svelte }] = await Promise.all([load('vite'), load('@sveltejs/vite-plugin-svelte')]);
  const folder = mkdtempSync(join(tmpdir(), 'antiphon-page-'));
  try {
    const entry = join(folder, 'entry.js');
    const phone = JSON.stringify(join(web, 'src/lib/phone/index.ts'));
    writeFileSync(entry, `import { Phone, browserPlatform } from ${phone};\n${IN_PAGE}`);
    await build({
      root: web,
      configFile: false,
      logLevel: 'error',
      plugins: [svelte({ configFile: false })],
      build: {
        outDir: folder,
        emptyOutDir: false,
        minify: false,
        lib: { entry, formats: ['es'], fileName: () => 'page.js' }
      }
    });
    return readFileSync(join(folder, 'page.js'), 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
