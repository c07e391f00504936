// baresip as a caller: another SIP and RTP implementation, with a file for a voice.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program, run } from './program.mjs';
import { voice } from './voice.mjs';

/** baresip 1.0 does not use 127.0.0.1. */
const OWN_IP = '127.0.0.2';
const MODULES = ['/usr/lib/baresip/modules', '/usr/lib/x86_64-linux-gnu/baresip/modules'];

/** Why baresip cannot be used here, if so. */
export async function noBaresip() {
  if (!existsSync('/usr/bin/baresip')) return 'there is no baresip';
  const { stdout } = await run('ip', ['addr', 'show', 'lo']).catch(() => ({ stdout: '' }));
  if (stdout.includes(`${OWN_IP}/`)) return null;
  const added = await run('ip', ['addr', 'add', `${OWN_IP}/8`, 'dev', 'lo']).catch((error) => error);
  return added instanceof Error ? `${OWN_IP} cannot be added to lo` : null;
}

/** A call whose voice is the chirps of a code; what it hears is saved by `heard()`. */
export async function baresip(house, number, code) {
  const folder = join(house.folder, 'baresip');
  mkdirSync(folder, { recursive: true });
  const speaker = voice(code);
  const modules = MODULES.find((path) => existsSync(path));
  writeFileSync(join(folder, 'accounts'), `<sip:${number}@${OWN_IP}>;regint=0;audio_codecs=pcmu/8000/1;dtmfmode=rtpevent\n`);
  writeFileSync(join(folder, 'contacts'), '');
  writeFileSync(
    join(folder, 'config'),
    [
      `sip_listen ${OWN_IP}:0`, `net_interface lo`, `audio_source aufile,${speaker}`, `audio_player aufile,${join(folder, 'out.wav')}`,
      'audio_srate 8000', 'audio_channels 1', 'audio_buffer 20-160', 'rtp_ports 30000-39998', `snd_path ${folder}`, 'call_local_timeout 120',
      `module_path ${modules}`, 'module stdio.so', 'module g711.so', 'module aufile.so', 'module sndfile.so', 'module_app menu.so', 'module_app account.so'
    ].join('\n') + '\n'
  );
  const program = new Program('/usr/bin/baresip', ['-f', folder, '-e', `/dial sip:${house.number}@${house.sip}`], { cwd: folder });
  const sounds = () => readdirSync(folder).filter((name) => name.endsWith('.wav')).map((name) => join(folder, name));
  return { program, sounds };
}
