/** The language of the screen. Switching does not reload the page: a call may be on. */
import { getLocale, locales, overwriteGetLocale, setLocale as remember, type Locale } from '$lib/paraglide/runtime';

const DIRECTION: Record<Locale, 'ltr' | 'rtl'> = { en: 'ltr', fa: 'rtl' };
/** Each language in its own name. */
export const LANGUAGE_NAMES: Record<Locale, string> = { en: 'English', fa: 'فارسی' };

class Language {
  locale = $state<Locale>('en');
  /** Whether dates of a language with its own calendar are shown in the Gregorian one. */
  gregorian = $state(false);

  /** Forms with something that is not saved: a change of language makes every screen anew. */
  unsaved = 0;

  get dir(): 'ltr' | 'rtl' {
    return DIRECTION[this.locale];
  }

  /** Reads what was chosen before. Call once, before the first message is shown. */
  init(): void {
    this.locale = getLocale();
    overwriteGetLocale(() => this.locale);
    this.gregorian = localStorage.getItem('antiphon.gregorian') === 'yes';
    this.#apply();
  }

  /** Changes it; false where something that is not saved would be lost. */
  set(locale: Locale): boolean {
    if (this.unsaved > 0) return false;
    this.locale = locale;
    void remember(locale, { reload: false });
    this.#apply();
    return true;
  }

  /** Takes over the language of the account unless this browser has chosen one. */
  suggest(tag: string): void {
    if (localStorage.getItem('PARAGLIDE_LOCALE')) return;
    const known = locales.find((locale) => locale === tag.slice(0, 2));
    if (known && known !== this.locale) this.set(known);
  }

  setGregorian(on: boolean): void {
    this.gregorian = on;
    localStorage.setItem('antiphon.gregorian', on ? 'yes' : 'no');
  }

  #apply(): void {
    document.documentElement.lang = this.locale;
    document.documentElement.dir = this.dir;
  }
}

export const language = new Language();
export { locales, type Locale };
