/** The places of this build: what the rail shows and what the command bar reaches. */
import { m } from '$lib/i18n';
import Headset from '@lucide/svelte/icons/headset';
import Phone from '@lucide/svelte/icons/phone';
import PhoneMissed from '@lucide/svelte/icons/phone-missed';
import Settings from '@lucide/svelte/icons/settings';
import Building2 from '@lucide/svelte/icons/building-2';
import Users from '@lucide/svelte/icons/users';
import ListOrdered from '@lucide/svelte/icons/list-ordered';
import GitBranch from '@lucide/svelte/icons/git-branch';
import Hash from '@lucide/svelte/icons/hash';
import AudioLines from '@lucide/svelte/icons/audio-lines';
import Tag from '@lucide/svelte/icons/tag';
import Coffee from '@lucide/svelte/icons/coffee';
import CalendarClock from '@lucide/svelte/icons/calendar-clock';
import History from '@lucide/svelte/icons/history';
import type { Component } from 'svelte';
import type { Me } from '$lib/api';

export interface Place {
  path: string;
  word: () => string;
  /** The icon package does not export its component type. */
  icon: Component<Record<string, unknown>>;
}

export interface AdminPlace extends Place {
  group: 'people' | 'reaching' | 'work' | 'system';
}

const asIcon = (icon: unknown) => icon as Place['icon'];

const DESK: Place = { path: '/', word: m.place_desk, icon: asIcon(Headset) };
const CALLS: Place = { path: '/calls', word: m.place_calls, icon: asIcon(Phone) };
const CALL_BACKS: Place = { path: '/callbacks', word: m.place_callbacks, icon: asIcon(PhoneMissed) };
export const ADMIN: Place = { path: '/admin', word: m.place_admin, icon: asIcon(Settings) };

export const ADMIN_PLACES: AdminPlace[] = [
  { group: 'people', path: '/admin/users', word: m.admin_users, icon: asIcon(Users) },
  { group: 'people', path: '/admin/break-reasons', word: m.admin_break_reasons, icon: asIcon(Coffee) },
  { group: 'reaching', path: '/admin/numbers', word: m.admin_numbers, icon: asIcon(Hash) },
  { group: 'reaching', path: '/admin/flows', word: m.admin_flows, icon: asIcon(GitBranch) },
  { group: 'reaching', path: '/admin/hours', word: m.admin_hours, icon: asIcon(CalendarClock) },
  { group: 'reaching', path: '/admin/queues', word: m.admin_queues, icon: asIcon(ListOrdered) },
  { group: 'reaching', path: '/admin/prompts', word: m.admin_prompts, icon: asIcon(AudioLines) },
  { group: 'work', path: '/admin/dispositions', word: m.admin_dispositions, icon: asIcon(Tag) },
  { group: 'system', path: '/admin/company', word: m.company, icon: asIcon(Building2) },
  { group: 'system', path: '/admin/versions', word: m.admin_versions, icon: asIcon(History) }
];

/** What the rail of this person shows: a desk only to those who take calls. */
export function railOf(me: Me): Place[] {
  return [...(me.agent ? [DESK] : []), CALLS, CALL_BACKS, ...(me.role === 'administrator' ? [ADMIN] : [])];
}

/** Where this person's work begins. */
export function homeOf(me: Me): Place {
  if (me.agent) return DESK;
  return me.role === 'administrator' ? ADMIN : CALLS;
}

/** Whether a place holds a path. */
export function holds(place: Place, path: string): boolean {
  return place.path === '/' ? path === '/' : path === place.path || path.startsWith(`${place.path}/`);
}

/** Every place this person can go to, for the command bar. */
export function allPlaces(me: Me): Place[] {
  const places = railOf(me).filter((place) => place !== ADMIN);
  return me.role === 'administrator' ? [...places, ...ADMIN_PLACES] : places;
}

/** The words in the strip for a path: the place, and the part of it. */
export function placeWords(path: string): { place: string; part: string | null } {
  const admin = ADMIN_PLACES.find((place) => holds(place, path));
  if (admin) return { place: m.place_admin(), part: admin.word() };
  if (path.startsWith('/calls/')) return { place: m.place_calls(), part: null };
  const found = [DESK, CALLS, CALL_BACKS, ADMIN].find((place) => holds(place, path));
  return { place: found?.word() ?? '', part: null };
}
