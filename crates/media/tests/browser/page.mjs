// The page's side of the proof: a plain peer connection and a recorder of what the page says
// and hears, as a script that `proof.mjs` puts into an empty page.

/** Runs in the page. */
function inPage() {
	const RATE = 8000;
	const RECORDER = `registerProcessor('recorder', class extends AudioWorkletProcessor {
		process([local, remote]) {
			const silence = new Float32Array(128);
			this.port.postMessage([local[0] ?? silence, remote[0] ?? silence]);
			return true;
		}
	})`;

	const pc = new RTCPeerConnection();
	let microphone;
	let recorder;
	const context = new AudioContext({ sampleRate: RATE });

	function until(target, event, done) {
		return new Promise((resolve) => {
			const look = () => done() && resolve();
			target.addEventListener(event, look);
			look();
		});
	}

	async function record(remote) {
		const code = URL.createObjectURL(new Blob([RECORDER], { type: 'text/javascript' }));
		await context.audioWorklet.addModule(code);
		recorder = new AudioWorkletNode(context, 'recorder', { numberOfInputs: 2, numberOfOutputs: 0 });
		context.createMediaStreamSource(new MediaStream([microphone])).connect(recorder, 0, 0);
		context.createMediaStreamSource(new MediaStream([remote])).connect(recorder, 0, 1);
		// Chromium only decodes a remote track that an element plays.
		const element = new Audio();
		element.srcObject = new MediaStream([remote]);
		await element.play();
	}

	globalThis.proof = {
		async connect() {
			const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
			[microphone] = stream.getAudioTracks();
			const transceiver = pc.addTransceiver(microphone, { direction: 'sendrecv' });
			await pc.setLocalDescription();
			await until(pc, 'icegatheringstatechange', () => pc.iceGatheringState === 'complete');
			const sdp = await globalThis.answerOf(pc.localDescription.sdp);
			await pc.setRemoteDescription({ type: 'answer', sdp });
			await until(pc, 'connectionstatechange', () => pc.connectionState === 'connected');
			await record(transceiver.receiver.track);
			return { codec: transceiver.sender.getParameters().codecs[0].mimeType };
		},
		hear(seconds) {
			const heard = { local: [], remote: [] };
			return new Promise((resolve) => {
				recorder.port.onmessage = ({ data: [local, remote] }) => {
					heard.local.push(...local);
					heard.remote.push(...remote);
					if (heard.remote.length < seconds * RATE) return;
					recorder.port.onmessage = null;
					resolve(heard);
				};
			});
		},
		mute(muted) {
			microphone.enabled = !muted;
		},
		keys(keys) {
			pc.getSenders()[0].dtmf.insertDTMF(keys, 100, 70);
		},
		close() {
			pc.close();
		}
	};
}

export async function pageScript() {
	return `(${inPage.toString()})();`;
}
