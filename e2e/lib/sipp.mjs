// SIPp as a caller: rings, listens, presses keys as recorded RFC 4733 packets, waits, is answered.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from './program.mjs';

export const PCAPS = '/usr/share/sip-tester';
const AFTER_KEY_MS = 500;
/** In a file of packets: the header, the header of a record, and what lies before the RTP. */
const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const BEFORE_RTP = 14 + 20 + 8;

const recorded = (key) => join(PCAPS, `dtmf_2833_${{ '#': 'pound', '*': 'star' }[key] ?? key}.pcap`);
export const VOICE = join(PCAPS, 'g711a.pcap');

/** Why SIPp cannot be used here, if so. */
export function noSipp() {
  if (!existsSync('/usr/bin/sipp')) return 'there is no sipp';
  return existsSync(recorded('1')) ? null : `there is no ${recorded('1')}`;
}

/** The recorded key, with numbers and times behind those of the keys before it, as on a telephone. */
function keyFile(folder, key, n) {
  const bytes = readFileSync(recorded(key));
  let number = 1_000 + n * 100;
  for (let at = FILE_HEADER; at < bytes.length; at += RECORD_HEADER + bytes.readUInt32LE(at + 8)) {
    const rtp = at + RECORD_HEADER + BEFORE_RTP;
    bytes.writeUInt16BE((number += 1), rtp + 2);
    bytes.writeUInt32BE(16_000 + n * AFTER_KEY_MS * 8, rtp + 4);
  }
  const file = join(folder, `key-${n}.pcap`);
  writeFileSync(file, bytes);
  return file;
}

const press = (file) => `<nop><action><exec play_pcap_audio="${file}"/></action></nop>
  <pause milliseconds="${AFTER_KEY_MS}"/>`;

const scenario = (listenMs, keys) => `<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="presses keys">
  <send retrans="500"><![CDATA[
    INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]s[call_number]
    To: <sip:[service]@[remote_ip]:[remote_port]>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Contact: <sip:sipp@[local_ip]:[local_port]>
    Max-Forwards: 70
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    o=sipp 1 1 IN IP[local_ip_type] [local_ip]
    s=-
    c=IN IP[media_ip_type] [media_ip]
    t=0 0
    m=audio [media_port] RTP/AVP 8 101
    a=rtpmap:8 PCMA/8000
    a=rtpmap:101 telephone-event/8000
    a=fmtp:101 0-15
    a=ptime:20
    a=sendrecv
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
    ACK [next_url] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]s[call_number]
    To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
    Call-ID: [call_id]
    CSeq: 1 ACK
    Max-Forwards: 70
    Content-Length: 0

  ]]></send>
  <pause milliseconds="${listenMs}"/>
  ${keys.map(press).join('\n  ')}
  <nop><action><exec play_pcap_audio="${VOICE}"/></action></nop>
  <recv request="BYE" timeout="60000"/>
  <send><![CDATA[
    SIP/2.0 200 OK
    [last_Via:]
    [last_From:]
    [last_To:]
    [last_Call-ID:]
    [last_CSeq:]
    Content-Length: 0

  ]]></send>
</scenario>
`;

/** Starts one call of SIPp: it listens, presses the keys one after the other, then plays its recorded voice once, about seven seconds; with `echo` it sends back all that it hears. */
export function sipp(house, number, { listenMs = 3_000, keys = '1', echo = true } = {}) {
  const file = join(house.folder, 'sipp.xml');
  const numbers = join(house.folder, 'sipp.csv');
  writeFileSync(file, scenario(listenMs, [...keys].map((key, n) => keyFile(house.folder, key, n))));
  writeFileSync(numbers, `SEQUENTIAL\n${number};\n`);
  const args = [house.sip, '-sf', file, '-inf', numbers, '-s', house.number, '-m', '1', '-l', '1', '-i', '127.0.0.1', '-mi', '127.0.0.1', ...(echo ? ['-rtp_echo'] : []), '-nostdin', '-trace_err', '-error_file', join(house.folder, 'sipp.err')];
  return new Program('/usr/bin/sipp', args, { cwd: house.folder, env: { ...process.env, TERM: 'dumb' } });
}
