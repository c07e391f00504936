/** Light, dark, or as the machine has it. The first paint is set by `/theme.js`. */
export type ThemeChoice = 'light' | 'dark' | 'system';

class Theme {
  choice = $state<ThemeChoice>('system');

  init(): void {
    const stored = localStorage.getItem('antiphon.theme');
    this.choice = stored === 'light' || stored === 'dark' ? stored : 'system';
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#apply());
    this.#apply();
  }

  get dark(): boolean {
    return this.choice === 'dark' || (this.choice === 'system' && matchMedia('(prefers-color-scheme: dark)').matches);
  }

  set(choice: ThemeChoice): void {
    this.choice = choice;
    localStorage.setItem('antiphon.theme', choice);
    this.#apply();
  }

  #apply(): void {
    document.documentElement.dataset['theme'] = this.dark ? 'dark' : 'light';
  }
}

export const theme = new Theme();
