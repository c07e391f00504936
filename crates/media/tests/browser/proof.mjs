// A real Chromium against the real browser leg: what the page says arrives at the house and the
// other way round, told apart by chirp sequences; cut directions are noticed; keys arrive.
//
//   node proof.mjs [path of the built example browser_host]
//
// Needs playwright-core (taken from web/node_modules or NODE_PATH) and Debian's Chromium.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { HOUSE, PAGE, RATE, find, fromMuLaw, sequence, sequenceSeconds, toMuLaw, wav } from './chirps.mjs';
import { pageScript } from './page.mjs';

const root = resolve(import.meta.dirname, '../../../..');
const { chromium } = createRequire(join(root, 'web/package.json'))('playwright-core');

const DEADLINE_MS = 20_000;
/** Likeness over which a chirp is heard, and under which it is not. Noise gives about 0.1. */
const HEARD = 0.5;
const NOT_HEARD = 0.35;
/** Longest way from the page's microphone over the house back to the page's loudspeaker. */
const ROUND_TRIP_S_MAX = 0.6;

function within(promise, what) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`${what}: nothing within ${DEADLINE_MS} ms`)), DEADLINE_MS);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The house's side: the example, spoken to in lines. */
class House {
	#process;
	#lines = [];
	#waiting = [];

	constructor(binary) {
		this.#process = spawn(binary, [], { stdio: ['pipe', 'pipe', 'inherit'] });
		createInterface({ input: this.#process.stdout }).on('line', (line) => {
			this.#lines.push(line);
			this.#waiting.splice(0).forEach((wake) => wake());
		});
	}

	send(line) {
		this.#process.stdin.write(`${line}\n`);
	}

	/** The rest of the next line that begins with this word. */
	async next(word) {
		const take = async () => {
			for (;;) {
				const n = this.#lines.findIndex((line) => line.split(' ')[0] === word);
				if (n >= 0) return this.#lines.splice(n, 1)[0].slice(word.length + 1);
				await new Promise((wake) => this.#waiting.push(wake));
			}
		};
		return within(take(), `host line "${word}"`);
	}

	async answer(sdp) {
		this.send(`offer ${Buffer.from(sdp).toString('hex')}`);
		return Buffer.from(await this.next('answer'), 'hex').toString();
	}

	/** Mu-law bytes heard from now on until there are `seconds` of them. */
	async hear(seconds) {
		this.send('take');
		await this.next('heard');
		let heard = Buffer.alloc(0);
		await within(
			(async () => {
				while (heard.length < seconds * RATE) {
					await new Promise((wake) => setTimeout(wake, 100));
					this.send('take');
					heard = Buffer.concat([heard, Buffer.from(await this.next('heard'), 'hex')]);
				}
			})(),
			`${seconds} s of audio from the page`
		);
		return fromMuLaw(heard);
	}

	async stop() {
		this.#process.stdin.end();
		await within(once(this.#process, 'exit'), 'end of the host');
	}
}

async function servePage() {
	const server = createServer((_, response) => {
		response.setHeader('content-type', 'text/html');
		response.end('<!doctype html><title>proof</title>');
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	return server;
}

const flags = (voice) => [
	'--no-sandbox',
	'--disable-gpu',
	'--use-fake-ui-for-media-stream',
	'--use-fake-device-for-media-stream',
	`--use-file-for-fake-audio-capture=${voice}`,
	'--autoplay-policy=no-user-gesture-required',
	'--disable-background-networking',
	'--disable-component-update',
	'--disable-sync',
	'--no-first-run'
];

function report(name, found) {
	const figures = Object.entries(found).map(([key, value]) => `${key} ${value.toFixed(2)}`);
	console.log(`${name}: ${figures.join(', ')}`);
}

function assertHeard(heard, chirps, name) {
	const found = find(heard, chirps);
	report(name, found);
	assert(found.least >= HEARD, `${name}: every chirp of the sequence is heard`);
	assert(found.outOfStep <= 0.03, `${name}: in order and in time`);
}

function assertNotHeard(heard, chirps, name) {
	const found = find(heard, chirps);
	report(name, found);
	assert(found.most <= NOT_HEARD, `${name}: nothing of the sequence is heard`);
}

async function prove(house, page) {
	const cycle = sequenceSeconds(PAGE);
	const pageHears = async () =>
		Float32Array.from((await page.evaluate((s) => globalThis.proof.hear(s), cycle * 2)).remote);

	house.send(`play ${toMuLaw(sequence(HOUSE, RATE)).toString('hex')}`);
	const began = Date.now();
	const connected = await within(page.evaluate(() => globalThis.proof.connect()), 'connection');
	await house.next('up');
	console.log(`connected in ${Date.now() - began} ms, codec ${connected.codec}`);
	assert.equal(connected.codec, 'audio/PCMU');

	const [byHouse, byPage] = await Promise.all([house.hear(cycle * 2), pageHears()]);
	assertHeard(byHouse, PAGE, 'page to house');
	assertNotHeard(byHouse, HOUSE, 'house to itself');
	assertHeard(byPage, HOUSE, 'house to page');
	assertNotHeard(byPage, PAGE, 'page to itself');

	house.send('hush');
	await page.evaluate(() => globalThis.proof.mute(true));
	// What is under way is heard out first: buffers of the page and of the wire.
	await pageHears();
	const [quietHouse, quietPage] = await Promise.all([house.hear(cycle * 2), pageHears()]);
	assertNotHeard(quietHouse, PAGE, 'muted page to house');
	assertNotHeard(quietPage, HOUSE, 'silent house to page');

	await page.evaluate(() => globalThis.proof.mute(false));
	house.send('echo');
	await pageHears();
	const both = await page.evaluate((s) => globalThis.proof.hear(s), cycle * 2);
	assertHeard(Float32Array.from(both.remote), PAGE, 'echo of the page');
	const said = find(Float32Array.from(both.local), PAGE);
	const echoed = find(Float32Array.from(both.remote), PAGE);
	const roundTrip = (echoed.at - said.at + cycle) % cycle;
	console.log(`round trip ${(roundTrip * 1000).toFixed(0)} ms`);
	assert(roundTrip <= ROUND_TRIP_S_MAX, 'there and back in time');

	await page.evaluate(() => globalThis.proof.keys('19*#'));
	let keys = '';
	while (keys.length < 4) keys += await house.next('digit');
	assert.equal(keys, '19*#');
	console.log(`keys ${keys}`);

	await page.evaluate(() => globalThis.proof.close());
	await house.next('down');
}

const folder = mkdtempSync(join(tmpdir(), 'antiphon-proof-'));
const voice = join(folder, 'page.wav');
writeFileSync(voice, wav(sequence([...PAGE, ...PAGE, ...PAGE, ...PAGE], 48_000), 48_000));
const house = new House(process.argv[2] ?? join(root, 'target/debug/examples/browser_host'));
const server = await servePage();
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: flags(voice) });
let failed = false;
try {
	const page = await browser.newPage();
	page.on('console', (message) => console.log(`page: ${message.text()}`));
	await page.exposeFunction('answerOf', (sdp) => house.answer(sdp));
	await page.goto(`http://127.0.0.1:${server.address().port}/`);
	await page.addScriptTag({ content: await pageScript(), type: 'module' });
	await page.waitForFunction(() => globalThis.proof !== undefined, undefined, { timeout: DEADLINE_MS });
	await prove(house, page);
	console.log('1 passed, 0 failed');
} catch (error) {
	failed = true;
	console.error(error);
	console.log('0 passed, 1 failed');
} finally {
	await browser.close();
	server.close();
	await house.stop();
	rmSync(folder, { recursive: true });
}
process.exit(failed ? 1 : 0);
