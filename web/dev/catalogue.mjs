/** Every screen in every state that has its own picture. */

const noted = (page) => page.locator('.notes [role=status]').waitFor();

/** Somebody else saves the queue while its form is open, then the form is saved too. */
async function conflict(page) {
  await page.evaluate(async () => {
    const path = `/api/v1${location.pathname.replace('/admin', '')}`;
    const { id: _, ...queue } = await (await fetch(path)).json();
    await fetch(path, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ...queue, ring_ms: 31_000 }) });
  });
  await page.locator('.body [role=spinbutton]').first().fill('25');
  await page.keyboard.press('Control+s');
  await page.locator('dialog[open]').waitFor();
}

/** Opens the dialog for a new password from the account menu and types into it. */
function password(typed) {
  return async (page) => {
    await page.locator('header .face').click();
    await page.locator('[role=menuitem]:has(.lucide-key-round)').click();
    const fields = page.locator('dialog[open] input[type=password]');
    for (const [at, text] of typed.entries()) await fields.nth(at).fill(text);
    if (typed[0] !== 'wrong') return;
    await page.keyboard.press('Enter');
    await page.locator('dialog[open] [role=alert]').waitFor();
  };
}

/** The question before somebody is taken out; `told` also presses the button. */
function removal(told) {
  return async (page) => {
    await page.locator('.blk').last().locator('button').click();
    await page.locator('dialog[open]').waitFor();
    if (!told) return;
    await page.locator('dialog[open] .btn.bad').click();
    await page.locator('dialog[open] [role=alert]').waitFor();
  };
}

/** Another secret for a telephone that has one; `told` also presses the button of the question. */
function secret(told) {
  return async (page) => {
    await page.locator('.account > .btn').click();
    await page.locator('dialog[open]').waitFor();
    if (!told) return;
    await page.locator('dialog[open] .btn.bad').click();
    await page.locator('.account dd').nth(2).scrollIntoViewIfNeeded();
  };
}

export const SCREENS = [
  { name: 'sign-in', scene: null, path: '/sign-in' },
  { name: 'sign-in-wrong', scene: null, path: '/sign-in', act: async (page) => { await page.locator('input[type=email]').fill('rasa@aegean.example'); await page.locator('input[type=password]').fill('wrong'); await page.locator('button[type=submit]').click(); await page.locator('[role=alert]').waitFor(); } },
  { name: 'sign-in-sent-away', scene: 'ready', path: '/', act: async (page) => { await page.context().clearCookies(); await page.locator('a[href="/calls"]').first().click(); await page.locator('#sent-away').waitFor(); } },
  { name: 'setup', scene: null, path: '/setup', setup: true },
  { name: 'setup-refused', scene: null, path: '/setup', setup: true, act: async (page) => { const fields = page.locator('form input'); for (const [at, text] of ['abcd', '   ', 'Olga Smirnova', 'olga@aegean.example', 'a long sentence'].entries()) await fields.nth(at).fill(text); await page.locator('button[type=submit]').click(); await page.locator('.field [role=alert]').waitFor(); } },
  { name: 'desk-ready', scene: 'ready', path: '/' },
  { name: 'desk-empty', scene: 'empty', path: '/' },
  { name: 'desk-offered', scene: 'offered', path: '/' },
  { name: 'desk-talking', scene: 'talking', path: '/' },
  { name: 'desk-talking-agent', scene: 'talking.agent', path: '/' },
  { name: 'desk-keypad', scene: 'talking', path: '/', act: async (page) => { await page.locator('.keys .key').nth(2).click(); await page.keyboard.type('20418'); } },
  { name: 'desk-silent', scene: 'talking', path: '/', silent: true, act: async (page) => { await page.locator('.phone [role=alert]').waitFor({ timeout: 20_000 }); } },
  { name: 'desk-decline', scene: 'offered', path: '/', act: async (page) => { await page.locator('.decline:visible').first().click(); await page.locator('[role=menu]').waitFor(); } },
  { name: 'account-menu', scene: 'ready', path: '/', act: async (page) => { await page.locator('header .face').click(); await page.locator('[role=menu]').waitFor(); } },
  { name: 'account-password', scene: 'ready', path: '/', act: password(['an old sentence', 'a new sentence', 'a new sentense']) },
  { name: 'account-password-wrong', scene: 'ready', path: '/', act: password(['wrong', 'a new sentence', 'a new sentence']) },
  { name: 'desk-denied', scene: 'no_device', path: '/', denied: true },
  { name: 'desk-deskless', scene: 'ready.deskless', path: '/', act: async (page) => { await page.waitForURL('**/admin'); } },
  { name: 'desk-sound-menu', scene: 'ready', path: '/', act: async (page) => { await page.locator('.phone [aria-haspopup=menu]').click(); await page.locator('[role=menu]').waitFor(); } },
  { name: 'unreachable', scene: 'dead', path: '/' },
  { name: 'no-such-page', scene: 'ready', path: '/nowhere' },
  { name: 'desk-hold', scene: 'hold', path: '/' },
  { name: 'desk-transfer', scene: 'talking', path: '/', act: async (page) => { await page.locator('.keys [aria-haspopup=menu]').click(); await page.locator('[role=menu] .st').first().waitFor(); } },
  { name: 'desk-transfer-at-once', scene: 'talking', path: '/', act: async (page) => { await page.locator('.keys [aria-haspopup=menu]').click(); await page.locator('[role=menu] .st').first().waitFor(); await page.locator('[role=menuitemcheckbox]').click(); await page.locator('[aria-checked=true]').waitFor(); } },
  { name: 'desk-consult-rings', scene: 'consult_rings', path: '/' },
  { name: 'desk-consult-sends', scene: 'consult_sends', path: '/' },
  { name: 'desk-second-line', scene: 'second_line', path: '/' },
  { name: 'desk-consult', scene: 'consult', path: '/' },
  { name: 'desk-conference', scene: 'conference', path: '/' },
  { name: 'desk-consult-missed', scene: 'consult_missed', path: '/' },
  { name: 'desk-guest', scene: 'guest', path: '/' },
  { name: 'desk-asked', scene: 'asked', path: '/' },
  { name: 'desk-wrap-up', scene: 'wrap_up', path: '/', act: async (page) => { await page.locator('#note').fill('20418'); await page.getByRole('combobox').first().focus(); } },
  { name: 'desk-note-room', scene: 'wrap_up', path: '/', act: async (page) => { await page.locator('#note').fill('20418 '.repeat(660)); await page.locator('#note-room').waitFor(); } },
  { name: 'desk-offered-anew', scene: 'offered_anew', path: '/' },
  { name: 'desk-did-not-answer', scene: 'did_not_answer', path: '/' },
  { name: 'desk-no-device', scene: 'no_device', path: '/' },
  { name: 'desk-phone', scene: 'ready.phone', path: '/' },
  { name: 'desk-phone-unregistered', scene: 'no_device.phone', path: '/' },
  { name: 'desk-phone-offered', scene: 'offered.phone', path: '/' },
  { name: 'desk-phone-talking', scene: 'talking.phone', path: '/' },
  { name: 'desk-sip', scene: 'ready.sip', path: '/' },
  { name: 'desk-elsewhere', scene: 'ready.elsewhere', path: '/', act: noted },
  { name: 'desk-elsewhere-call', scene: 'talking.elsewhere', path: '/', act: noted },
  { name: 'desk-break', scene: 'break', path: '/' },
  { name: 'desk-signed-out', scene: 'signed_out', path: '/' },
  { name: 'desk-state-menu', scene: 'ready', path: '/', act: async (page) => { await page.locator('header .own').click(); } },
  { name: 'command-bar', scene: 'talking', path: '/', act: async (page) => { await page.keyboard.press('Control+k'); } },
  { name: 'desk-offline', scene: 'talking', path: '/', offline: true },
  { name: 'desk-late', scene: 'talking.late', path: '/', act: noted },
  { name: 'calls', scene: 'ready', path: '/calls' },
  { name: 'calls-filtered', scene: 'offered', path: '/calls?outcome=abandoned&q=30' },
  { name: 'calls-agent', scene: 'ready.agent', path: '/calls' },
  { name: 'calls-empty', scene: 'empty', path: '/calls' },
  { name: 'calls-error', scene: 'broken', path: '/calls' },
  { name: 'calls-forbidden', scene: 'forbidden', path: '/calls' },
  { name: 'calls-loading', scene: 'slow', path: '/calls', act: async (page) => page.waitForTimeout(400) },
  { name: 'call', scene: 'ready', path: '/calls/0193d100-0000-7000-8000-000000000004' },
  { name: 'call-live', scene: 'ready', path: '/calls/0193d100-0000-7000-8000-000000000000' },
  { name: 'call-left', scene: 'ready', path: '/calls/0193d100-0000-7000-8000-000000000003' },
  { name: 'call-missing', scene: 'ready', path: '/calls/0193d900-0000-7000-8000-000000000003' },
  { name: 'callbacks', scene: 'ready', path: '/callbacks' },
  { name: 'callbacks-undo', scene: 'ready', path: '/callbacks', act: async (page) => { for (let n = 0; n < 3; n += 1) await page.locator('.item .btn').first().click(); } },
  { name: 'callbacks-empty', scene: 'empty', path: '/callbacks' },
  { name: 'admin-users', scene: 'ready', path: '/admin/users/0193b100-0000-7000-8000-000000000002' },
  { name: 'admin-user-remove', scene: 'ready', path: '/admin/users/0193b100-0000-7000-8000-000000000002', act: removal(false) },
  { name: 'admin-user-remove-refused', scene: 'ready', path: '/admin/users/0193b100-0000-7000-8000-000000000004', act: removal(true) },
  { name: 'admin-user-refused', scene: 'ready', path: '/admin/users/0193b100-0000-7000-8000-000000000002', act: async (page) => { await page.locator('.seg button').nth(2).click(); await page.locator('.blk .input.code').nth(1).fill('desk'); await page.locator('input[type=email]').focus(); await page.keyboard.press('Control+s'); await page.locator('.field [role=alert]').waitFor(); await page.locator('.field [role=alert]').scrollIntoViewIfNeeded(); } },
  { name: 'admin-user-phone', scene: 'ready', path: '/admin/users/0193b100-0000-7000-8000-000000000004', act: async (page) => page.locator('.account').scrollIntoViewIfNeeded() },
  { name: 'admin-user-phone-unsaved', scene: 'ready', path: '/admin/users/0193b100-0000-7000-8000-000000000002', act: async (page) => { await page.locator('.seg button').nth(1).click(); await page.locator('.seg').scrollIntoViewIfNeeded(); } },
  { name: 'admin-user-phone-renew', scene: 'ready', path: '/admin/users/0193b100-0000-7000-8000-000000000004', act: secret(false) },
  { name: 'admin-user-phone-secret', scene: 'ready', path: '/admin/users/0193b100-0000-7000-8000-000000000004', act: secret(true) },
  { name: 'admin-queues', scene: 'ready', path: '/admin/queues/0193a100-0000-7000-8000-000000000001' },
  { name: 'admin-queues-put-right', scene: 'ready', path: '/admin/queues/0193a100-0000-7000-8000-000000000001', act: async (page) => { for (const [at, text] of ['0', '9000', '5000'].entries()) await page.locator('.body [role=spinbutton]').nth(at).fill(text); await page.keyboard.press('Tab'); await page.locator('.field [role=alert]').nth(2).waitFor(); } },
  { name: 'admin-numbers-there', scene: 'ready', path: '/admin/numbers', act: async (page) => { await page.locator('.add input').fill('+30 210 555 0100'); await page.keyboard.press('Enter'); await page.locator('.field [role=alert]').waitFor(); } },
  { name: 'admin-numbers', scene: 'ready', path: '/admin/numbers' },
  { name: 'admin-numbers-bad', scene: 'ready', path: '/admin/numbers', act: async (page) => { await page.locator('.add input').fill('reception@aegean'); await page.keyboard.press('Enter'); await page.locator('.field [role=alert]').waitFor(); } },
  { name: 'admin-hours', scene: 'ready', path: '/admin/hours' },
  { name: 'admin-flows', scene: 'ready', path: '/admin/flows/0193f100-0000-7000-8000-000000000001' },
  { name: 'admin-flows-fault', scene: 'ready', path: '/admin/flows/0193f100-0000-7000-8000-000000000001', act: async (page) => { const text = page.locator('textarea'); await text.fill((await text.inputValue()).replace('"next": "hours"', '"next": "hourz"')); await page.locator('button.fault').waitFor(); } },
  { name: 'admin-flows-steps', scene: 'ready', path: '/admin/flows/0193f100-0000-7000-8000-000000000001', act: async (page) => { await page.locator('.bar-h [aria-expanded]').click(); await page.locator('.node .btn').nth(7).click(); await page.locator('button.fault').first().waitFor(); } },
  { name: 'admin-prompts', scene: 'ready', path: '/admin/prompts' },
  { name: 'admin-prompts-tag', scene: 'ready', path: '/admin/prompts', act: async (page) => { const fields = page.locator('.add input'); await fields.nth(0).fill('late'); await fields.nth(1).fill('english'); await fields.nth(2).setInputFiles({ name: 'late.wav', mimeType: 'audio/wav', buffer: Buffer.alloc(64) }); await page.locator('.add button').click(); await page.locator('.field [role=alert]').waitFor(); } },
  { name: 'admin-prompts-sending', scene: 'ready', path: '/admin/prompts', act: async (page) => { await page.route('**/prompts/*/*', () => {}); await page.locator('.sound input').nth(1).setInputFiles({ name: 'late.wav', mimeType: 'audio/wav', buffer: Buffer.alloc(64) }); await page.locator('.sound button:disabled').waitFor(); } },
  { name: 'admin-dispositions', scene: 'ready', path: '/admin/dispositions' },
  { name: 'admin-dispositions-refused', scene: 'ready', path: '/admin/dispositions', act: async (page) => { await page.locator('.row .code').nth(7).fill('warranty\u0007'); await page.keyboard.press('Control+s'); await page.locator('.row [role=alert]').waitFor(); } },
  { name: 'admin-break-reasons', scene: 'ready', path: '/admin/break-reasons' },
  { name: 'admin-company', scene: 'ready', path: '/admin/company' },
  { name: 'admin-company-refused', scene: 'ready', path: '/admin/company', act: async (page) => { await page.locator('form select').nth(1).selectOption('fa'); await page.keyboard.press('Control+s'); await page.locator('.field [role=alert]').waitFor(); } },
  { name: 'admin-versions', scene: 'ready', path: '/admin/versions' },
  { name: 'admin-start', scene: 'empty', path: '/admin', act: (page) => page.waitForTimeout(300) },
  { name: 'admin-numbers-empty', scene: 'empty', path: '/admin/numbers' },
  { name: 'admin-hours-empty', scene: 'empty', path: '/admin/hours' },
  { name: 'admin-prompts-empty', scene: 'empty', path: '/admin/prompts' },
  { name: 'admin-users-new', scene: 'ready', path: '/admin/users/new' },
  { name: 'admin-conflict', scene: 'ready', path: '/admin/queues/0193a100-0000-7000-8000-000000000001', act: conflict },
  { name: 'admin-forbidden', scene: 'ready.agent', path: '/admin/users' }
];
