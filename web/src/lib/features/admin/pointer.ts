/** Where in the text of a JSON document a JSON pointer (RFC 6901) points. */

export interface Place {
  /** Character at which the value, or for a missing one its nearest parent, begins. */
  start: number;
  end: number;
  /** From 1. */
  line: number;
}

class Reader {
  at = 0;
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }

  space(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at += 1;
  }

  string(): string {
    const start = this.at;
    this.at += 1;
    while (this.at < this.text.length && this.text[this.at] !== '"') this.at += this.text[this.at] === '\\' ? 2 : 1;
    this.at += 1;
    return JSON.parse(this.text.slice(start, this.at)) as string;
  }

  /** Reads a value; calls back with each path and its range, parents after their children. */
  value(path: string, seen: (path: string, start: number, end: number) => void): void {
    this.space();
    const start = this.at;
    const first = this.text[this.at];
    if (first === '{' || first === '[') this.members(path, first === '{', seen);
    else if (first === '"') this.string();
    else while (this.at < this.text.length && !/[\s,}\]]/.test(this.text[this.at] ?? '')) this.at += 1;
    seen(path, start, this.at);
  }

  private members(path: string, named: boolean, seen: (path: string, start: number, end: number) => void): void {
    const close = named ? '}' : ']';
    this.at += 1;
    for (let index = 0; this.at < this.text.length; index += 1) {
      this.space();
      if (this.text[this.at] === close) break;
      let key = String(index);
      if (named) {
        key = this.string();
        this.space();
        this.at += 1; // the colon
      }
      this.value(`${path}/${key.replace(/~/g, '~0').replace(/\//g, '~1')}`, seen);
      this.space();
      if (this.text[this.at] === ',') this.at += 1;
    }
    this.at += 1;
  }
}

/** Finds a pointer in a text that is valid JSON. */
export function locate(text: string, pointer: string): Place {
  const ranges = new Map<string, [number, number]>();
  new Reader(text).value('', (path, start, end) => ranges.set(path, [start, end]));
  let wanted = pointer;
  while (wanted !== '' && !ranges.has(wanted)) wanted = wanted.slice(0, wanted.lastIndexOf('/'));
  const [start, end] = ranges.get(wanted) ?? [0, 0];
  return { start, end, line: text.slice(0, start).split('\n').length };
}

export type Parsed = { ok: true; value: unknown } | { ok: false; line: number; at: number; detail: string };

/** Parses JSON; a fault says its line. */
export function parseJson(text: string): Parsed {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (thrown) {
    const detail = thrown instanceof Error ? thrown.message : String(thrown);
    const position = /position (\d+)/.exec(detail);
    const at = position ? Number(position[1]) : text.length;
    return { ok: false, at, line: text.slice(0, at).split('\n').length, detail };
  }
}
