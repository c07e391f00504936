//! What an account must be like: the same for the page, the first start and the command line.

use std::collections::BTreeSet;

use model::limits;

use crate::edit::{check_name, check_room};
use crate::problem::Problem;

/// Fails unless somebody may be added to a tenant of so many `users`.
///
/// # Errors
/// What is wrong, in words.
pub fn check_account(mail: &str, name: &str, password: &str, users: usize) -> Result<(), Problem> {
    check_mail(mail, "/mail")?;
    check_name(name, "/name")?;
    check_password(password, "/password")?;
    check_users(users)
}

/// Fails when a tenant of so many users is full.
pub(crate) fn check_users(users: usize) -> Result<(), Problem> {
    check_room(users, limits::AGENTS_PER_TENANT_MAX, "users")
}

/// Fails unless it looks like a mail address; only delivery could prove that it is one.
pub(crate) fn check_mail(mail: &str, pointer: &str) -> Result<(), Problem> {
    let mail = mail.trim();
    let plain = mail.chars().all(|c| !c.is_control() && !c.is_whitespace());
    let sides = mail.rsplit_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && !host.is_empty() && !host.starts_with('.') && !host.ends_with('.')
    });
    if plain && sides && mail.len() <= limits::MAIL_CHARS_MAX {
        Ok(())
    } else {
        let detail = "Expected a mail address like anna@example.com.";
        Err(Problem::unprocessable("bad_mail", detail).at(pointer))
    }
}

/// Fails unless a password is long enough to withstand guessing.
pub(crate) fn check_password(password: &str, pointer: &str) -> Result<(), Problem> {
    let chars = password.chars().count();
    let varied = password.chars().collect::<BTreeSet<_>>().len() >= 4;
    if (limits::PASSWORD_CHARS_MIN..=limits::PASSWORD_CHARS_MAX).contains(&chars) && varied {
        Ok(())
    } else {
        let detail = format!(
            "A password has {} to {} characters, not all alike.",
            limits::PASSWORD_CHARS_MIN,
            limits::PASSWORD_CHARS_MAX
        );
        Err(Problem::unprocessable("weak_password", detail).at(pointer))
    }
}
