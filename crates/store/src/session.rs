//! Who is behind a token: sessions of people, keys of programs, the token of the first start, and
//! one-use tickets. Only digests are kept.

use std::collections::BTreeMap;
use std::sync::Mutex;

use model::{Span, TenantId, Timestamp, UserId};

use crate::error::StoreError;
use crate::secret::{Token, TokenDigest};
use crate::store::Store;
use crate::tenant::TenantDb;
use crate::text::Columns;
use crate::user::{Role, User, read_user};

/// A session that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose data.
    pub tenant: TenantId,
    /// Who, as they are now: a changed role counts at once.
    pub user: User,
    /// From when until when.
    pub term: Term,
}

/// The time of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// When somebody signed in.
    pub began_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// An API key in a list. The key itself is nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// Its name, unique in the tenant.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself, or has ended; none when it never does.
    pub expires_at: Option<Timestamp>,
}

/// An API key that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Whose data.
    pub tenant: TenantId,
    /// Its name, unique in the tenant.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

impl Store {
    /// The session behind a token, unless it ended or was revoked.
    ///
    /// # Errors
    /// Faults of the database.
    pub async fn session(
        &self,
        token: TokenDigest,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query(
            "SELECT u.tenant_id, u.id, u.mail, u.name, u.role, u.language, s.created_at, s.expires_at
             FROM session s JOIN app_user u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
             WHERE s.token_digest = $1 AND s.expires_at > $2",
        )
        .bind(token.to_hex())
        .bind(now.micros())
        .fetch_optional(&self.inner.doors)
        .await?;
        row.map(|row| {
            Ok(Session {
                tenant: row.parsed("tenant_id")?,
                user: read_user(&row)?,
                term: Term {
                    began_at: row.time("created_at")?,
                    expires_at: row.time("expires_at")?,
                },
            })
        })
        .transpose()
    }

    /// Lets a session go on until a later time. Harmless when there is none.
    ///
    /// # Errors
    /// Faults of the database.
    pub async fn prolong_session(
        &self,
        token: TokenDigest,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner
            .writer
            .run(move |conn| {
                Box::pin(async move {
                    sqlx::query(
                        "UPDATE session SET expires_at = $2
                         WHERE token_digest = $1 AND expires_at < $2",
                    )
                    .bind(token.to_hex())
                    .bind(until.micros())
                    .execute(conn)
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Ends a session. Harmless when there is none.
    ///
    /// # Errors
    /// Faults of the database.
    pub async fn revoke_session(&self, token: TokenDigest) -> Result<(), StoreError> {
        self.inner
            .writer
            .run(move |conn| {
                Box::pin(async move {
                    sqlx::query("DELETE FROM session WHERE token_digest = $1")
                        .bind(token.to_hex())
                        .execute(conn)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// The key behind a token, unless it ended or was revoked.
    ///
    /// # Errors
    /// Faults of the database.
    pub async fn api_key(
        &self,
        token: TokenDigest,
        now: Timestamp,
    ) -> Result<Option<ApiKey>, StoreError> {
        let row = sqlx::query(
            "SELECT tenant_id, name, role FROM api_key
             WHERE token_digest = $1 AND (expires_at IS NULL OR expires_at > $2)",
        )
        .bind(token.to_hex())
        .bind(now.micros())
        .fetch_optional(&self.inner.doors)
        .await?;
        row.map(|row| {
            Ok(ApiKey {
                tenant: row.parsed("tenant_id")?,
                name: row.text("name")?,
                role: row.word("role")?,
            })
        })
        .transpose()
    }
}

impl TenantDb {
    /// Begins a session of somebody of this tenant and hands out its token, once. Sessions that
    /// ended are swept on the way.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is no such user; faults of the database.
    pub async fn create_session(
        &self,
        user: UserId,
        now: Timestamp,
        lasts: Span,
    ) -> Result<Token, StoreError> {
        let token = Token::session();
        let (tenant, digest) = (self.id(), token.digest());
        self.store
            .inner
            .writer
            .run(move |conn| {
                Box::pin(async move {
                    sqlx::query("DELETE FROM session WHERE tenant_id = $1 AND expires_at <= $2")
                        .bind(tenant.as_str())
                        .bind(now.micros())
                        .execute(&mut *conn)
                        .await?;
                    sqlx::query(
                        "INSERT INTO session (token_digest, tenant_id, user_id, created_at, expires_at)
                         VALUES ($1, $2, $3, $4, $5)",
                    )
                    .bind(digest.to_hex())
                    .bind(tenant)
                    .bind(user.to_string())
                    .bind(now.micros())
                    .bind((now + lasts).micros())
                    .execute(conn)
                    .await?;
                    Ok(())
                })
            })
            .await?;
        Ok(token)
    }

    /// Whether somebody has a session in force.
    ///
    /// # Errors
    /// Faults of the database.
    pub async fn has_session(&self, user: UserId, now: Timestamp) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT 1 FROM session WHERE tenant_id = $1 AND user_id = $2 AND expires_at > $3 LIMIT 1",
        )
        .bind(self.id())
        .bind(user.to_string())
        .bind(now.micros())
        .fetch_optional(&self.store.inner.doors)
        .await?;
        Ok(row.is_some())
    }

    /// Makes an API key and hands it out, once.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the name is taken; faults of the database.
    pub async fn create_api_key(
        &self,
        name: String,
        role: Role,
        now: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Result<Token, StoreError> {
        let token = Token::api_key();
        let (tenant, digest) = (self.id(), token.digest());
        self.store
            .inner
            .writer
            .run(move |conn| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO api_key (tenant_id, name, token_digest, role, created_at, expires_at)
                         VALUES ($1, $2, $3, $4, $5, $6)",
                    )
                    .bind(tenant)
                    .bind(name)
                    .bind(digest.to_hex())
                    .bind(crate::text::word(&role))
                    .bind(now.micros())
                    .bind(expires_at.map(Timestamp::micros))
                    .execute(conn)
                    .await?;
                    Ok(())
                })
            })
            .await?;
        Ok(token)
    }

    /// Every API key, by name, those that ended included.
    ///
    /// # Errors
    /// Faults of the database.
    pub async fn api_keys(&self) -> Result<Vec<ListedKey>, StoreError> {
        let rows = sqlx::query(
            "SELECT name, role, created_at, expires_at FROM api_key WHERE tenant_id = $1
             ORDER BY name",
        )
        .bind(self.id())
        .fetch_all(self.readers())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ListedKey {
                    name: row.text("name")?,
                    role: row.word("role")?,
                    created_at: row.time("created_at")?,
                    expires_at: row.time_opt("expires_at")?,
                })
            })
            .collect()
    }

    /// Takes an API key back.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; faults of the database.
    pub async fn revoke_api_key(&self, name: String) -> Result<(), StoreError> {
        let tenant = self.id();
        let gone = self
            .store
            .inner
            .writer
            .run(move |conn| {
                Box::pin(async move {
                    let done =
                        sqlx::query("DELETE FROM api_key WHERE tenant_id = $1 AND name = $2")
                            .bind(tenant)
                            .bind(name)
                            .execute(conn)
                            .await?;
                    Ok(done.rows_affected())
                })
            })
            .await?;
        if gone == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

/// The secret of the first start: printed once on the console, good for 15 minutes and one use.
#[derive(Debug)]
pub struct SetupToken {
    digest: TokenDigest,
    until: Timestamp,
}

/// How long the secret of the first start is good.
pub const SETUP_TOKEN_LASTS: Span = Span::from_secs(15 * 60);

impl SetupToken {
    /// A new one, with the text for the console.
    #[must_use]
    pub fn make(now: Timestamp) -> (Self, Token) {
        let token = Token::short();
        (Self { digest: token.digest(), until: now + SETUP_TOKEN_LASTS }, token)
    }

    /// Whether this is it, in time.
    #[must_use]
    pub fn accepts(&self, presented: &str, now: Timestamp) -> bool {
        self.digest == TokenDigest::of(presented) && now < self.until
    }
}

/// One-use tickets in memory, for whoever cannot send a cookie with a WebSocket.
#[derive(Debug)]
pub struct Tickets<T> {
    waiting: Mutex<BTreeMap<TokenDigest, (Timestamp, T)>>,
}

impl<T> Default for Tickets<T> {
    fn default() -> Self {
        Self { waiting: Mutex::new(BTreeMap::new()) }
    }
}

/// How long a ticket is good.
pub const TICKET_LASTS: Span = Span::from_secs(30);
/// Tickets that may wait; the ones that end first leave first.
const TICKETS_MAX: usize = 10_000;

impl<T> Tickets<T> {
    /// A ticket for `holder`.
    pub fn issue(&self, holder: T, now: Timestamp) -> Token {
        let token = Token::short();
        let mut waiting = self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        waiting.retain(|_, (until, _)| *until > now);
        if waiting.len() >= TICKETS_MAX
            && let Some(oldest) =
                waiting.iter().min_by_key(|(_, (until, _))| *until).map(|(digest, _)| *digest)
        {
            waiting.remove(&oldest);
        }
        waiting.insert(token.digest(), (now + TICKET_LASTS, holder));
        token
    }

    /// Whoever the ticket was issued for, once and in time.
    pub fn redeem(&self, presented: &str, now: Timestamp) -> Option<T> {
        let mut waiting = self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (until, holder) = waiting.remove(&TokenDigest::of(presented))?;
        (now < until).then_some(holder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setup_token_ends() {
        let now = Timestamp::from_micros(1_000);
        let (setup, token) = SetupToken::make(now);
        assert!(setup.accepts(token.reveal(), now));
        assert!(!setup.accepts("guess", now));
        assert!(!setup.accepts(token.reveal(), now + SETUP_TOKEN_LASTS));
    }

    #[test]
    fn a_ticket_is_used_once_and_in_time() {
        let tickets = Tickets::default();
        let now = Timestamp::from_micros(1_000);
        let ticket = tickets.issue("anna", now);
        assert_eq!(tickets.redeem("guess", now), None);
        assert_eq!(tickets.redeem(ticket.reveal(), now), Some("anna"));
        assert_eq!(tickets.redeem(ticket.reveal(), now), None);
        let late = tickets.issue("anna", now);
        assert_eq!(tickets.redeem(late.reveal(), now + TICKET_LASTS), None);
    }
}
