// What a message costs that is refused by rule: a flood of them must be cheap.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { Centre } from '../lib/centre.mjs';
import { meter } from '../lib/host.mjs';
import { relayUs } from '../lib/reference.mjs';
import { pause, until } from '../../e2e/lib/wait.mjs';

/** Messages that are sent before the next turn: a socket buffer takes more. */
const BURST = 20;

/** One message of each kind that is refused or dropped, never the same twice. */
const KINDS = {
  'no SIP at all': () => Buffer.from(`\x16\x03\x01${Math.random()} nobody understands this ${Math.random()}`),
  'a broken request': ({ own, n }) => `INVITE sip:100@house SIP/2.0\r\nVia: SIP/2.0/UDP ${own};branch=z9hG4bK-b${n}\r\nMax-Forwards: x\r\nContent-Length: 0\r\n\r\n`,
  'a method that nobody takes': ({ own, n }) => request('REGISTER', own, n),
  'a request outside of any call': ({ own, n }) => request('BYE', own, n, ';tag=gone')
};

function request(method, own, n, tag = '') {
  return `${method} sip:100@house SIP/2.0\r\nVia: SIP/2.0/UDP ${own};branch=z9hG4bK-${method}-${n}\r\nMax-Forwards: 70\r\nFrom: <sip:x@${own}>;tag=${n}\r\nTo: <sip:100@house>${tag}\r\nCall-ID: ${method}-${n}\r\nCSeq: 1 ${method}\r\nContent-Length: 0\r\n\r\n`;
}

export const refused = {
  goals: ['-'],
  async run({ bin, quick, say }) {
    const floor = await relayUs(bin);
    const centre = await Centre.open({});
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    try {
      await once(socket, 'listening');
      const own = `127.0.0.1:${socket.address().port}`;
      const [host, port] = centre.house.sip.split(':');
      const figures = [];
      for (const [kind, make] of Object.entries(KINDS)) {
        const count = quick ? 500 : 10_000;
        const read = () => centre.metric('antiphon_sip_messages_in_total');
        const [before, used] = [await read(), meter(centre.pid)];
        for (let n = 0; n < count; n += 1) {
          socket.send(make({ own, n }), Number(port), host);
          if (n % BURST === BURST - 1) await pause(1);
        }
        let arrived = 0;
        // A socket buffer that overflowed lost the rest: what arrived is what counts.
        await until('all are read', async () => {
          const now = (await read()) - before;
          const still = now === arrived;
          arrived = now;
          return still && now > count * 0.9;
        }, 20_000);
        const us = (used().cpu_ms * 1_000) / arrived;
        say(`${kind}: ${arrived} of ${count}, ${us.toFixed(1)} us each`);
        figures.push({ goal: '-', name: `refused: ${kind}`, value: us, floor, unit: 'us CPU', most: 4, by: 'ratio', note: 'beside a relayed packet' });
      }
      return figures;
    } finally {
      socket.close();
      await centre.close();
    }
  }
};
