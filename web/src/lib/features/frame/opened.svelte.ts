/** What of the frame is open: buttons, menus and the command bar all ask for it here. */
class Opened {
  /** The dialog for a new password. */
  password = $state(false);
  /** The keys of the telephone. */
  keypad = $state(false);
}

export const opened = new Opened();
