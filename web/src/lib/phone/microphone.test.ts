import { expect, it, vi } from 'vitest';
import { devicesOf, faultOf, openMicrophone, type MediaDevicesLike } from './microphone';

const named = (name: string) => Object.assign(new Error(name), { name });
const track = { label: 'Headset' } as MediaStreamTrack;
const stream = { getAudioTracks: () => [track] } as unknown as MediaStream;

function devices(getUserMedia: (wanted: MediaStreamConstraints) => Promise<MediaStream>) {
  return { getUserMedia: vi.fn(getUserMedia) } as unknown as MediaDevicesLike;
}

it('asks for the processing that a call needs', async () => {
  const browser = devices(async () => stream);
  expect(await openMicrophone(browser, null)).toBe(track);
  expect(browser.getUserMedia).toHaveBeenCalledWith({
    audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true }
  });
});

it('takes the system’s microphone when the wanted one is gone', async () => {
  const browser = devices(async ({ audio }) => {
    if ((audio as MediaTrackConstraints).deviceId) throw named('OverconstrainedError');
    return stream;
  });
  expect(await openMicrophone(browser, 'gone')).toBe(track);
});

it('asks only once when the agent says no', async () => {
  const browser = devices(() => Promise.reject(named('NotAllowedError')));
  await expect(openMicrophone(browser, 'any')).rejects.toMatchObject({ fault: 'denied' });
  expect(browser.getUserMedia).toHaveBeenCalledTimes(1);
});

it('says why there is none', async () => {
  await expect(openMicrophone(undefined, null)).rejects.toMatchObject({ fault: 'insecure_page' });
  expect(faultOf('NotFoundError')).toBe('no_microphone');
  expect(faultOf('NotReadableError')).toBe('no_microphone');
  expect(faultOf('SecurityError')).toBe('insecure_page');
});

it('lists each device once', () => {
  const one = (kind: string, deviceId: string) => ({ kind, deviceId, label: deviceId });
  const all = [
    one('audioinput', 'default'),
    one('audioinput', 'usb'),
    one('audiooutput', 'ear'),
    one('audioinput', '')
  ] as MediaDeviceInfo[];
  expect(devicesOf('audioinput', all)).toEqual([{ id: 'usb', label: 'usb' }]);
  expect(devicesOf('audioinput', all.slice(0, 1))).toEqual([{ id: 'default', label: 'default' }]);
});
