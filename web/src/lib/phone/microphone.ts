/**
 * The microphone: asked for, named, lost and found again.
 */

/** Why there is no microphone. */
export type MicrophoneFault = 'denied' | 'no_microphone' | 'insecure_page';

export interface Device {
  id: string;
  label: string;
}

export type MediaDevicesLike = Pick<
  MediaDevices,
  'getUserMedia' | 'enumerateDevices' | 'addEventListener' | 'removeEventListener'
>;

export class NoMicrophone extends Error {
  readonly fault: MicrophoneFault;
  constructor(fault: MicrophoneFault) {
    super(fault);
    this.fault = fault;
  }
}

/** What the browser's refusal means to the agent. */
export function faultOf(name: string): MicrophoneFault {
  if (name === 'NotAllowedError') return 'denied';
  if (name === 'SecurityError') return 'insecure_page';
  // NotFound, NotReadable (another program has it), Abort, Overconstrained.
  return 'no_microphone';
}

/** The devices of one kind that have a name, without the doubles that Chromium adds. */
export function devicesOf(kind: MediaDeviceKind, all: readonly MediaDeviceInfo[]): Device[] {
  const seen = all.filter((device) => device.kind === kind && device.deviceId !== '');
  const real = seen.filter((device) => !['default', 'communications'].includes(device.deviceId));
  return (real.length > 0 ? real : seen).map((device) => ({
    id: device.deviceId,
    label: device.label
  }));
}

/**
 * A microphone track, the wanted device if it is still there, else the system's choice.
 *
 * @throws NoMicrophone when the browser gives none.
 */
export async function openMicrophone(
  devices: MediaDevicesLike | undefined,
  wanted: string | null
): Promise<MediaStreamTrack> {
  if (!devices) throw new NoMicrophone('insecure_page');
  const processing = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  const open = async (audio: MediaTrackConstraints) => {
    const stream = await devices.getUserMedia({ audio });
    const [track] = stream.getAudioTracks();
    if (!track) throw new NoMicrophone('no_microphone');
    return track;
  };
  try {
    if (wanted === null) return await open(processing);
    return await open({ ...processing, deviceId: { exact: wanted } }).catch((thrown: unknown) => {
      if (nameOf(thrown) === 'NotAllowedError') throw thrown;
      return open(processing);
    });
  } catch (thrown) {
    if (thrown instanceof NoMicrophone) throw thrown;
    throw new NoMicrophone(faultOf(nameOf(thrown)));
  }
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error || thrown instanceof DOMException ? thrown.name : '';
}
