/** What the command bar can do now: every place, every act of the agent that fits, a number to look up. */
import { goto } from '$app/navigation';
import type { Me } from '$lib/api';
import { shortcut } from '$lib/ui/keys';
import { desk } from '$lib/features/desk/desk.svelte';
import { drafts } from '$lib/features/desk/drafts.svelte';
import { DECLINE_REASONS, MORE_TIME_S } from '$lib/features/desk/words';
import { telephone } from '$lib/features/session/telephone.svelte';
import { theme } from '$lib/features/session/theme.svelte';
import { LANGUAGE_NAMES, fmt, language, locales, m, western } from '$lib/i18n';
import Check from '@lucide/svelte/icons/check';
import Circle from '@lucide/svelte/icons/circle';
import Coffee from '@lucide/svelte/icons/coffee';
import Grip from '@lucide/svelte/icons/grip';
import KeyRound from '@lucide/svelte/icons/key-round';
import Languages from '@lucide/svelte/icons/languages';
import Mic from '@lucide/svelte/icons/mic';
import Moon from '@lucide/svelte/icons/moon';
import Pause from '@lucide/svelte/icons/pause';
import Phone from '@lucide/svelte/icons/phone';
import PhoneOff from '@lucide/svelte/icons/phone-off';
import Search from '@lucide/svelte/icons/search';
import PhoneForwarded from '@lucide/svelte/icons/phone-forwarded';
import PhoneMissed from '@lucide/svelte/icons/phone-missed';
import Sun from '@lucide/svelte/icons/sun';
import Timer from '@lucide/svelte/icons/timer';
import Undo2 from '@lucide/svelte/icons/undo-2';
import Users from '@lucide/svelte/icons/users';
import { speaksHere } from './line';
import { opened } from './opened.svelte';
import { allPlaces, type Place } from './places';
import { toasts } from '$lib/ui/toasts.svelte';

export interface CommandItem {
  id: string;
  group: string;
  word: string;
  /** Further words that find it. */
  also?: string;
  icon: Place['icon'];
  kbd?: string;
  /** Made from what was typed: no need to match it. */
  always?: boolean;
  run: () => void;
}

const icon = (of: unknown) => of as Place['icon'];

function contactCommands(): CommandItem[] {
  const me = desk.me;
  const group = m.commands_contact();
  const items: CommandItem[] = [];
  if (me?.offer) {
    if (!desk.isSip) items.push({ id: 'accept', group, word: m.accept(), icon: icon(Phone), kbd: 'F8', run: () => void desk.accept() });
    if (me.offer.asked_by) items.push({ id: 'decline', group, word: m.decline(), icon: icon(PhoneMissed), run: () => void desk.decline('other') });
    else for (const { code, word } of DECLINE_REASONS) {
      items.push({ id: `decline-${code}`, group, word: `${m.decline()}: ${word()}`, icon: icon(PhoneMissed), run: () => void desk.decline(code) });
    }
  }
  if (me?.call) {
    const here = speaksHere();
    if (here) items.push({ id: 'mute', group, word: telephone.muted ? m.unmute() : m.mute(), icon: icon(Mic), kbd: 'M', run: () => telephone.setMuted(!telephone.muted) });
    const consult = me.call.consult;
    if (consult && !desk.isGuest) {
      if (consult.joined_at) {
        items.push({ id: 'conference', group, word: consult.conference ? m.colleague_alone() : m.all_three(), icon: icon(Users), run: () => void desk.toggleConference() });
        items.push({ id: 'hand-over', group, word: m.hand_over(), icon: icon(PhoneForwarded), run: () => void desk.handOver() });
      }
      items.push({ id: 'consult-end', group, word: consult.conference ? m.let_colleague_go() : m.resume(), icon: icon(Undo2), run: () => void desk.endConsult() });
    }
    if (!consult) {
      items.push({ id: 'hold', group, word: me.call.hold_since ? m.resume() : m.hold(), icon: icon(Pause), kbd: 'H', run: () => void desk.toggleHold() });
      for (const { id, name } of desk.info.data?.transfer_queues ?? []) {
        items.push({ id: `transfer-${id}`, group, word: `${m.transfer()}: ${name}`, icon: icon(PhoneForwarded), run: () => void desk.transfer(id) });
      }
    }
    if (here && !consult) items.push({ id: 'keypad', group, word: m.keypad(), icon: icon(Grip), run: () => (opened.keypad = true) });
    items.push({ id: 'hangup', group, word: desk.isGuest ? m.leave_call() : m.hang_up(), icon: icon(PhoneOff), run: () => void desk.hangUp() });
  }
  if (me?.wrap_up) {
    const { disposition, resolved } = drafts.of(me.wrap_up.contact.call);
    if (disposition !== null && resolved !== null) items.push({ id: 'finish', group, word: m.finish(), icon: icon(Check), kbd: shortcut('Enter'), run: () => void desk.finish() });
    items.push({ id: 'extend', group, word: m.more_time(), icon: icon(Timer), run: () => void desk.extend(MORE_TIME_S) });
  }
  return items;
}

function stateCommands(): CommandItem[] {
  const me = desk.me;
  if (!me) return [];
  const group = m.own_state();
  const items: CommandItem[] = [];
  if (me.state !== 'ready') items.push({ id: 'ready', group, word: m.become_ready(), icon: icon(Circle), run: () => void desk.becomeReady() });
  if (me.state !== 'signed_out') {
    for (const reason of desk.info.data?.break_reasons ?? []) {
      items.push({ id: `break-${reason.code}`, group, word: `${m.state_break()}: ${reason.label}`, icon: icon(Coffee), run: () => void desk.takeBreak(reason.code) });
    }
    items.push({ id: 'sign-out', group, word: m.stop_taking_calls(), icon: icon(Circle), run: () => void desk.signOut() });
  }
  return items;
}

/** The commands for this person; `typed` may be a number to look up. */
export function commandsFor(me: Me, typed: string): CommandItem[] {
  const items = me.agent ? [...contactCommands(), ...stateCommands()] : [];
  for (const place of allPlaces(me)) {
    items.push({ id: `go-${place.path}`, group: m.commands_go(), word: place.word(), icon: place.icon, run: () => void goto(place.path) });
  }
  const group = m.commands_screen();
  for (const locale of locales.filter((one) => one !== language.locale)) {
    items.push({ id: `language-${locale}`, group, word: LANGUAGE_NAMES[locale], also: m.language(), icon: icon(Languages), run: () => void (language.set(locale) || toasts.say(m.save_first())) });
  }
  items.push(
    theme.dark
      ? { id: 'light', group, word: m.theme_light(), also: m.theme(), icon: icon(Sun), run: () => theme.set('light') }
      : { id: 'dark', group, word: m.theme_dark(), also: m.theme(), icon: icon(Moon), run: () => theme.set('dark') }
  );
  items.push({ id: 'password', group: m.commands_account(), word: m.change_password(), icon: icon(KeyRound), run: () => (opened.password = true) });
  const digits = western(typed).replace(/[^\d+]/g, '');
  if (digits.length >= 3) {
    items.unshift({ id: 'look-up', group: m.commands_find(), word: m.calls_from_number({ number: fmt.telInText(digits) }), icon: icon(Search), always: true, run: () => void goto(`/calls?q=${encodeURIComponent(digits)}`) });
  }
  return items;
}
