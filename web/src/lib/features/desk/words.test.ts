import { afterEach, describe, expect, it } from 'vitest';
import type { Fact } from '$lib/api';
import { language } from '$lib/i18n';
import { typedValue } from './words';

const typed = (value: string, secret: string | null = null): Fact => ({ kind: 'typed', key: 'pin', label: 'PIN', value, secret });

describe('what a caller typed', () => {
  afterEach(() => void (language.locale = 'en'));

  it('is shown as digits, of a secret only how many', () => {
    expect(typedValue(typed('20418'))).toBe('20418');
    expect(typedValue(typed('••••', '0193'))).toBe('4 digits, hidden');
  });

  it('shows no digits of a secret, whatever the server sends', () => {
    expect(typedValue(typed('2041', '0193'))).not.toMatch(/2041/);
  });

  it('is shown in the digits of the screen', () => {
    language.locale = 'fa';
    expect(typedValue(typed('20418'))).toBe('۲۰۴۱۸');
  });
});
