/**
 * G.711 mu-law only, so that the house never transcodes between the browser and the trunk.
 */

interface CodecLike {
  mimeType: string;
  clockRate: number;
}

/**
 * The codecs to offer, in order: PCMU and the telephone-event that shares its clock. Everything
 * else stays out of the offer; all of it stays if the browser has no PCMU, so that the server can
 * say so.
 */
export function houseCodecs<C extends CodecLike>(codecs: readonly C[]): C[] {
  const named = (name: string) => (codec: C) =>
    codec.mimeType.toLowerCase() === name && codec.clockRate === 8000;
  const speech = codecs.filter(named('audio/pcmu'));
  if (speech.length === 0) return [...codecs];
  return [...speech, ...codecs.filter(named('audio/telephone-event'))];
}
