import { expect, it } from 'vitest';
import example from './flow-example.json';
import { NODES, NODE_TYPES, canInsert, exampleOf, withNode } from './flow-steps';
import { locate } from './pointer';

const FLOW = '{"schema":1,"start":"menu","nodes":{"menu":{"type":"hang_up"},"menu-2":{"type":"hang_up"}}}';

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

it('adds a node under a free name and leaves the rest as it was', () => {
  const made = withNode(FLOW, 'menu');
  expect(made?.pointer).toBe('/nodes/menu-3');
  const { nodes, ...rest } = JSON.parse(made?.text ?? '') as { nodes: Record<string, unknown> };
  expect(rest).toEqual({ schema: 1, start: 'menu' });
  expect(nodes).toEqual({ menu: { type: 'hang_up' }, 'menu-2': { type: 'hang_up' }, 'menu-3': exampleOf('menu') });
  expect(locate(made?.text ?? '', made?.pointer ?? '').line).toBeGreaterThan(8);
});

it('adds nothing to what is no flow', () => {
  for (const text of ['', '{', '[]', 'null', '{"nodes":[]}', '{"nodes":1}']) {
    expect(canInsert(text), text).toBe(false);
    expect(withNode(text, 'play'), text).toBeNull();
  }
  expect(canInsert(FLOW)).toBe(true);
});
