/** How this machine names a key that is pressed with Ctrl or Cmd. */
export function shortcut(key: string): string {
  return navigator.platform.startsWith('Mac') ? `⌘ ${key}` : `Ctrl ${key}`;
}

/** Single keys work only while nobody is typing and no menu or dialog is open. */
export function typing(event: KeyboardEvent): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return true;
  return target.closest('[role="menu"], dialog') !== null;
}
