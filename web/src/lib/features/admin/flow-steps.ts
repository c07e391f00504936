/** The types of nodes that a flow is made of, in words, and their examples. */
import { m } from '$lib/i18n';
import example from './flow-example.json';
import { locate, parseJson, type Place } from './pointer';

export interface Field {
  name: string;
  word: () => string;
  /** It may be left out. */
  optional?: boolean;
}

const PROMPTS: Field = { name: 'prompts', word: m.field_prompts };
const NEXT: Field = { name: 'next', word: m.field_next };
const TRIES: Field[] = [{ name: 'tries', word: m.field_tries }, { name: 'otherwise', word: m.field_otherwise_tries }];

export const NODES = {
  play: { word: m.node_play, fields: [PROMPTS, NEXT] },
  menu: {
    word: m.node_menu,
    fields: [PROMPTS, { name: 'choices', word: m.field_choices }, { name: 'timeout_s', word: m.field_timeout_menu }, { name: 'invalid', word: m.field_invalid, optional: true }, ...TRIES]
  },
  collect: {
    word: m.node_collect,
    fields: [
      PROMPTS, { name: 'variable', word: m.field_variable_collect }, { name: 'label', word: m.field_label }, { name: 'digits_min', word: m.field_digits_min }, { name: 'digits_max', word: m.field_digits_max },
      { name: 'terminator', word: m.field_terminator }, { name: 'timeout_s', word: m.field_timeout_collect }, { name: 'secret', word: m.field_secret, optional: true }, NEXT, ...TRIES
    ]
  },
  hours: { word: m.node_hours, fields: [{ name: 'calendar', word: m.field_calendar }, { name: 'open', word: m.field_open }, { name: 'closed', word: m.field_closed }] },
  branch: { word: m.node_branch, fields: [{ name: 'cases', word: m.field_cases }, { name: 'otherwise', word: m.field_otherwise_cases }] },
  set: { word: m.node_set, fields: [{ name: 'variable', word: m.field_variable_set }, { name: 'value', word: m.field_value }, NEXT] },
  consent: { word: m.node_consent, fields: [PROMPTS, { name: 'refuse_key', word: m.field_refuse_key, optional: true }, { name: 'timeout_s', word: m.field_timeout_consent }, NEXT] },
  queue: {
    word: m.node_queue,
    fields: [
      { name: 'queue', word: m.field_queue }, { name: 'skills', word: m.field_skills, optional: true }, { name: 'priority', word: m.field_priority, optional: true },
      { name: 'prompts', word: m.field_prompts_queue, optional: true }, { name: 'wait_s_max', word: m.field_wait_s_max }, { name: 'otherwise', word: m.field_otherwise_queue }
    ]
  },
  hang_up: { word: m.node_hang_up, fields: [{ name: 'prompts', word: m.field_prompts_hang_up, optional: true }] }
} satisfies Record<string, { word: () => string; fields: Field[] }>;

export type NodeType = keyof typeof NODES;
export const NODE_TYPES = Object.keys(NODES) as NodeType[];

/** The example of a type: the first node of it in the flow of the handbook. */
export function exampleOf(type: NodeType): object {
  const node = Object.values(example.nodes).find((one) => one.type === type);
  if (!node) throw new Error(`the example has no ${type}`);
  return node;
}

/** The nodes of a document that can be added to; `null` for what is no flow yet. */
function nodesOf(text: string): object | null {
  const parsed = parseJson(text);
  if (!parsed.ok || parsed.value === null || typeof parsed.value !== 'object') return null;
  const { nodes } = parsed.value as { nodes?: unknown };
  return nodes !== null && typeof nodes === 'object' && !Array.isArray(nodes) ? nodes : null;
}

export function canInsert(text: string): boolean {
  return nodesOf(text) !== null;
}

/** What is typed into a document so that it has one node more. */
export interface Insertion {
  at: number;
  text: string;
  /** Of the node's name, once it is there. */
  name: Place;
}

/** The example of a type behind the last node, under a free name and in the lines of the document; `null` for what is no flow yet. */
export function insertion(text: string, type: NodeType): Insertion | null {
  const nodes = nodesOf(text);
  if (!nodes) return null;
  let name: string = type;
  for (let n = 2; Object.hasOwn(nodes, name); n += 1) name = `${type}-${n}`;
  const close = locate(text, '/nodes').end - 1;
  const at = text.slice(0, close).trimEnd().length;
  const comma = text[at - 1] === '{' ? '' : ',';
  const line = text.lastIndexOf('\n', close) + 1;
  const own = line > at;
  const [step, indent] = own ? [text.includes('\n\t') ? '\t' : '  ', text.slice(line, close)] : ['', ''];
  const lead = own ? `${comma}\n${indent}${step}` : `${comma}${comma && ' '}`;
  const member = `"${name}": ${JSON.stringify(exampleOf(type), null, step).replaceAll('\n', `\n${indent}${step}`)}`;
  const start = at + lead.length + 1;
  return { at, text: lead + member, name: { start, end: start + name.length, line: `${text.slice(0, at)}${lead}`.split('\n').length } };
}
