//! People who sign in, their roles, and finding them by what they present.

use model::{Domain, TenantId, UserId, limits};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;

use crate::error::StoreError;
use crate::secret::{PasswordHash, TokenDigest};
use crate::store::Store;
use crate::tenant::TenantDb;
use crate::text::Columns;

/// What somebody may do. Each role may do what the one before may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Takes calls and sees their own.
    Agent,
    /// Sees every call of the tenant.
    Supervisor,
    /// Changes the configuration.
    Administrator,
}

/// Somebody who signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Names them.
    pub id: UserId,
    /// The mail address they sign in with, folded by [`fold_mail`].
    pub mail: String,
    /// The name colleagues see.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// BCP 47 tag of their screens.
    pub language: String,
}

/// Mail addresses are compared without case and outer blanks.
#[must_use]
pub fn fold_mail(mail: &str) -> String {
    mail.trim().to_lowercase()
}

impl Store {
    /// Finds who signs in with this mail address and password: in the tenant whose domain is `host`
    /// before all others, then in whichever tenant. Of somebody who is in more tenants than
    /// `limits::SIGN_IN_CANDIDATES_MAX` the younger ones are reached by their domain only.
    ///
    /// Takes the time of at least one password hash, whether or not the address is known, and
    /// always compares with everybody it found.
    ///
    /// # Errors
    /// Faults of the database.
    pub async fn sign_in(
        &self,
        mail: &str,
        password: &str,
        host: Option<&Domain>,
    ) -> Result<Option<(TenantId, User)>, StoreError> {
        let rows = sqlx::query(
            "SELECT u.tenant_id, u.id, u.mail, u.name, u.role, u.language, u.password_hash
             FROM app_user u JOIN tenant t ON t.id = u.tenant_id
             WHERE u.mail = $1 AND u.password_hash IS NOT NULL
             ORDER BY CASE WHEN t.domain = $2 THEN 0 ELSE 1 END, u.tenant_id LIMIT $3",
        )
        .bind(fold_mail(mail))
        .bind(host.map(Domain::as_str))
        .bind(i64::try_from(limits::SIGN_IN_CANDIDATES_MAX).unwrap_or(i64::MAX))
        .fetch_all(&self.inner.doors)
        .await?;
        let mut candidates = Vec::new();
        for row in &rows {
            let hash = PasswordHash::stored(row.text("password_hash")?);
            candidates.push((row.parsed("tenant_id")?, read_user(row)?, hash));
        }
        let _permit = self.inner.passwords.acquire().await.map_err(|_| StoreError::Closed)?;
        let password = password.to_owned();
        let found = tokio::task::spawn_blocking(move || {
            if candidates.is_empty() {
                // The same work for nobody, so that time does not tell who exists.
                let _ = nobody().verify(&password);
            }
            let mut fits: Vec<_> =
                candidates.into_iter().filter(|(_, _, hash)| hash.verify(&password)).collect();
            (!fits.is_empty()).then(|| fits.swap_remove(0))
        });
        let found = found.await.map_err(|_| StoreError::Closed)?;
        Ok(found.map(|(tenant, user, _)| (tenant, user)))
    }

    /// Hashes a password off the async threads, a few at a time.
    ///
    /// # Errors
    /// [`StoreError::Closed`] while the process ends.
    pub async fn hash_password(&self, password: String) -> Result<PasswordHash, StoreError> {
        let _permit = self.inner.passwords.acquire().await.map_err(|_| StoreError::Closed)?;
        tokio::task::spawn_blocking(move || PasswordHash::make(&password))
            .await
            .map_err(|_| StoreError::Closed)
    }
}

fn nobody() -> &'static PasswordHash {
    static NOBODY: std::sync::LazyLock<PasswordHash> =
        std::sync::LazyLock::new(|| PasswordHash::make("a password that nobody has"));
    &NOBODY
}

impl TenantDb {
    /// Everybody, by name.
    ///
    /// # Errors
    /// Faults of the database.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, mail, name, role, language FROM app_user WHERE tenant_id = $1
             ORDER BY name, id",
        )
        .bind(self.id())
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(read_user).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; faults of the database.
    pub async fn user(&self, user: UserId) -> Result<User, StoreError> {
        let row = sqlx::query(
            "SELECT id, mail, name, role, language FROM app_user WHERE tenant_id = $1 AND id = $2",
        )
        .bind(self.id())
        .bind(user.to_string())
        .fetch_one(self.readers())
        .await?;
        read_user(&row)
    }

    /// Whether this is somebody's password.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; faults of the database.
    pub async fn is_password(&self, user: UserId, password: String) -> Result<bool, StoreError> {
        let row =
            sqlx::query("SELECT password_hash FROM app_user WHERE tenant_id = $1 AND id = $2")
                .bind(self.id())
                .bind(user.to_string())
                .fetch_one(&self.store.inner.doors)
                .await?;
        let Some(hash) = row.text_opt("password_hash")?.map(PasswordHash::stored) else {
            return Ok(false);
        };
        let passwords = &self.store.inner.passwords;
        let _permit = passwords.acquire().await.map_err(|_| StoreError::Closed)?;
        tokio::task::spawn_blocking(move || hash.verify(&password))
            .await
            .map_err(|_| StoreError::Closed)
    }

    /// Gives somebody a new password and ends their sessions, but for the one that asked.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; faults of the database.
    pub async fn set_password(
        &self,
        user: UserId,
        hash: PasswordHash,
        kept: TokenDigest,
    ) -> Result<(), StoreError> {
        let tenant = self.id();
        let write = self.store.inner.writer.run(move |conn| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE app_user SET password_hash = $3 WHERE tenant_id = $1 AND id = $2",
                )
                .bind(tenant.as_str())
                .bind(user.to_string())
                .bind(hash.text())
                .execute(&mut *conn)
                .await?;
                sqlx::query(
                    "DELETE FROM session
                     WHERE tenant_id = $1 AND user_id = $2 AND token_digest <> $3",
                )
                .bind(tenant.as_str())
                .bind(user.to_string())
                .bind(kept.to_hex())
                .execute(conn)
                .await?;
                if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
            })
        });
        write.await
    }

    /// Changes the language of somebody's screens.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; faults of the database.
    pub async fn set_user_language(
        &self,
        user: UserId,
        language: String,
    ) -> Result<(), StoreError> {
        let tenant = self.id();
        let changed = self
            .store
            .inner
            .writer
            .run(move |conn| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE app_user SET language = $3 WHERE tenant_id = $1 AND id = $2",
                    )
                    .bind(tenant)
                    .bind(user.to_string())
                    .bind(language)
                    .execute(conn)
                    .await?;
                    Ok(done.rows_affected())
                })
            })
            .await?;
        if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

pub(crate) fn read_user(row: &SqliteRow) -> Result<User, StoreError> {
    Ok(User {
        id: row.parsed("id")?,
        mail: row.text("mail")?,
        name: row.text("name")?,
        role: row.word("role")?,
        language: row.text("language")?,
    })
}
