/** Where the keyboard is, and that it never loses its place. */
import { tick } from 'svelte';

/** What is being typed counts as when its field is left; the focus stays. */
export function settleField(): void {
  const field = document.activeElement;
  if (!(field instanceof HTMLInputElement)) return;
  field.blur();
  field.focus({ preventScroll: true });
}

/** The focus of a button that goes with its row passes to what then stands in its place `among` the same. */
export async function passOn(button: HTMLElement, among: string): Promise<void> {
  const all = () => [...document.querySelectorAll<HTMLElement>(among)];
  const at = all().indexOf(button);
  if (document.activeElement !== button) return;
  await tick();
  (all()[at] ?? all().at(-1))?.focus();
}
