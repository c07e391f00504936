import { expect, it } from 'vitest';
import example from './flow-example.json';
import { NODES, NODE_TYPES, canInsert, exampleOf, insertion } from './flow-steps';

const FLOW = '{"schema":1,"start":"menu","nodes":{"menu":{"type":"hang_up"},"menu-2":{"type":"hang_up"}},"note":"}"}';

it('has an example and words for every type of node, and for every field of it', () => {
  for (const type of NODE_TYPES) {
    const { type: _, ...fields } = exampleOf(type) as Record<string, unknown>;
    const told = NODES[type].fields.map((field) => field.name);
    for (const name of Object.keys(fields)) expect(told, type).toContain(name);
  }
  expect(new Set(Object.values(example.nodes).map((node) => node.type))).toEqual(new Set(NODE_TYPES));
});

it('shows every kind of condition', () => {
  const text = JSON.stringify(example);
  for (const kind of ['is', 'starts_with', 'known', 'all', 'any', 'not']) expect(text).toContain(`{"${kind}":`);
});

/** The document with what is typed into it, and what is then marked. */
function typed(text: string) {
  const made = insertion(text, 'menu');
  if (!made) throw new Error(`nothing goes into ${text}`);
  const after = text.slice(0, made.at) + made.text + text.slice(made.at);
  return { after, marked: after.slice(made.name.start, made.name.end), line: made.name.line, nodes: (JSON.parse(after) as { nodes: unknown }).nodes };
}

it('adds a node under a free name and marks the name', () => {
  const { after, marked, nodes } = typed(FLOW);
  expect(nodes).toEqual({ menu: { type: 'hang_up' }, 'menu-2': { type: 'hang_up' }, 'menu-3': exampleOf('menu') });
  expect([marked, after.endsWith('}},"note":"}"}')]).toEqual(['menu-3', true]);
});

it('keeps to the lines of the document', () => {
  for (const step of [2, '\t']) {
    const written = { schema: 1, nodes: { menu: { type: 'hang_up' } }, start: 'menu' };
    const { after, line } = typed(JSON.stringify(written, null, step));
    expect(after).toBe(JSON.stringify({ ...written, nodes: { ...written.nodes, 'menu-2': exampleOf('menu') } }, null, step));
    expect(after.split('\n')[line - 1]).toContain('"menu-2"');
  }
});

it('adds the first node', () => {
  for (const text of ['{"nodes":{}}', '{\n  "nodes": {\n  }\n}', '{"nodes":{ }}']) expect(typed(text).nodes, text).toEqual({ menu: exampleOf('menu') });
});

it('adds nothing to what is no flow', () => {
  for (const text of ['', '{', '[]', 'null', '{"nodes":[]}', '{"nodes":1}']) {
    expect(canInsert(text), text).toBe(false);
    expect(insertion(text, 'play'), text).toBeNull();
  }
  expect(canInsert(FLOW)).toBe(true);
});
