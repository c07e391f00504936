// Before the first paint: the theme and the direction that were chosen last, so that nothing flashes.
(function () {
  var root = document.documentElement;
  var theme = null;
  var locale = null;
  try {
    theme = localStorage.getItem('antiphon.theme');
    locale = localStorage.getItem('PARAGLIDE_LOCALE');
  } catch {
    // Storage may be forbidden; the defaults are fine.
  }
  var dark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  root.dataset.theme = dark ? 'dark' : 'light';
  if (locale === 'fa') {
    root.lang = 'fa';
    root.dir = 'rtl';
  }
})();
