//! The secrets of telephones that register with the house.
//!
//! Invariant: the secret itself is shown once and kept nowhere, and what is kept of it is sealed
//! with the house key; a username is nobody else's in the whole house, because the SIP plane knows
//! no tenants before it knows who asks.

use std::collections::BTreeMap;

use md5::Md5;
use model::sip::{Digest, Ha1, PhoneAccount, PhoneContact, REALM};
use model::{DeviceId, DialString, Timestamp};
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::error::StoreError;
use crate::key::{RowKey, SEALED};
use crate::secret::{Token, hex, random_bytes};
use crate::store::Store;
use crate::tenant::TenantDb;
use crate::text::{Columns, word};

/// Digits of a username: they can be typed on a telephone, and two of them meet hardly ever.
const NAME_DIGITS: usize = 10;

/// A new secret for a telephone, its first or another one, and how it is known from then on. It
/// keeps its username.
#[must_use]
pub fn phone_secret(
    device: DeviceId,
    digest: Digest,
    known: Option<DialString>,
) -> (PhoneAccount, Token) {
    let (username, secret) = (known.unwrap_or_else(made_up), Token::phone());
    let ha1 = ha1(digest, &username, &secret);
    (PhoneAccount { device, username, ha1 }, secret)
}

impl TenantDb {
    /// The telephones that have a secret, as the SIP plane knows them. What was sealed with another
    /// house key is told in the log and left out: such a telephone cannot register.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn phones(&self) -> Result<Vec<PhoneAccount>, StoreError> {
        let rows = sqlx::query(
            "SELECT device_id, username, digest, sealed FROM phone WHERE tenant_id = $1",
        )
        .bind(self.id())
        .fetch_all(self.readers())
        .await?;
        let mut accounts = Vec::with_capacity(rows.len());
        for row in &rows {
            let kept = account(row)?;
            match opened(&self.store.inner.phone_key, &self.id(), &kept) {
                Some(account) => accounts.push(account),
                None => tracing::error!(
                    tenant = self.id(), username = %kept.username,
                    "a telephone cannot register: its secret was sealed with another house key; put \
                     that key back (data.key_file), or give the telephone another secret"
                ),
            }
        }
        Ok(accounts)
    }

    /// Where telephones were when it was kept, with the time they have left now.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn phone_contacts(
        &self,
        now: Timestamp,
    ) -> Result<Vec<(DeviceId, Vec<PhoneContact>)>, StoreError> {
        let rows =
            sqlx::query("SELECT device_id, contacts, at FROM phone_contact WHERE tenant_id = $1")
                .bind(self.id())
                .fetch_all(self.readers())
                .await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut contacts: Vec<PhoneContact> = row.json("contacts")?;
            let gone_s = now.since(row.time("at")?).micros().max(0) / 1_000_000;
            let gone_s = u64::try_from(gone_s).unwrap_or(0);
            contacts.retain(|contact| contact.left_s > gone_s);
            contacts.iter_mut().for_each(|contact| contact.left_s -= gone_s);
            all.push((row.parsed("device_id")?, contacts));
        }
        Ok(all)
    }

    /// Keeps where telephones are; those that can be rung nowhere are forgotten.
    ///
    /// # Errors
    /// Faults of the database.
    pub async fn keep_phone_contacts(
        &self,
        contacts: BTreeMap<DeviceId, Vec<PhoneContact>>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let rows = contacts.into_iter().map(|(device, contacts)| {
            let text = serde_json::to_string(&contacts).expect("contacts are plain JSON");
            (device, (!contacts.is_empty()).then_some(text))
        });
        let (tenant, rows): (_, Vec<_>) = (self.id(), rows.collect());
        self.store
            .inner
            .writer
            .run(move |conn| {
                Box::pin(async move {
                    for (device, contacts) in rows {
                        let query = match contacts {
                            None => sqlx::query(
                                "DELETE FROM phone_contact
                                 WHERE tenant_id = $1 AND device_id = $2",
                            ),
                            Some(_) => sqlx::query(
                                "INSERT INTO phone_contact (tenant_id, device_id, contacts, at)
                                 VALUES ($1, $2, $3, $4)
                                 ON CONFLICT (tenant_id, device_id) DO UPDATE SET
                                     contacts = excluded.contacts, at = excluded.at",
                            ),
                        };
                        let query = query.bind(tenant.as_str()).bind(device.to_string());
                        let query = match contacts {
                            None => query,
                            Some(contacts) => query.bind(contacts).bind(at.micros()),
                        };
                        query.execute(&mut *conn).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// By what the telephones with a secret name themselves.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn phone_names(&self) -> Result<BTreeMap<DeviceId, DialString>, StoreError> {
        let rows = sqlx::query("SELECT device_id, username FROM phone WHERE tenant_id = $1")
            .bind(self.id())
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(|row| Ok((row.parsed("device_id")?, row.parsed("username")?))).collect()
    }
}

/// What stands in the row of a telephone. It opens in this row alone.
pub(crate) fn sealed(key: &RowKey, tenant: &str, account: &PhoneAccount) -> String {
    key.seal(&place(tenant, account), account.ha1.hex())
}

/// The account of a row as it is kept; `None` with another key than it was sealed with.
fn opened(key: &RowKey, tenant: &str, kept: &PhoneAccount) -> Option<PhoneAccount> {
    let hex = key.open(&place(tenant, kept), kept.ha1.hex())?;
    Some(PhoneAccount { ha1: Ha1::new(kept.ha1.digest(), hex), ..kept.clone() })
}

fn place(tenant: &str, account: &PhoneAccount) -> String {
    let PhoneAccount { device, username, ha1 } = account;
    format!("{tenant} {device} {username} {}", word(&ha1.digest()))
}

/// A row with what stands in it in place of the digest.
fn account(row: &SqliteRow) -> Result<PhoneAccount, StoreError> {
    Ok(PhoneAccount {
        device: row.parsed("device_id")?,
        username: row.parsed("username")?,
        ha1: Ha1::new(row.word("digest")?, row.text("sealed")?),
    })
}

impl Store {
    /// Seals what builds before schema 12 kept readable. For the house itself, which surely has the
    /// right key.
    ///
    /// # Errors
    /// Faults of the database.
    pub async fn seal_phones(&self) -> Result<(), StoreError> {
        let key = self.inner.phone_key.clone();
        self.inner.writer.run(move |conn| Box::pin(async move { seal_all(conn, &key).await })).await
    }
}

async fn seal_all(conn: &mut SqliteConnection, key: &RowKey) -> Result<(), StoreError> {
    let tenants: Vec<String> =
        sqlx::query_scalar("SELECT id FROM tenant ORDER BY id").fetch_all(&mut *conn).await?;
    for tenant in tenants {
        let rows = sqlx::query(
            "SELECT device_id, username, digest, sealed FROM phone
             WHERE tenant_id = $1 AND sealed NOT LIKE $2",
        )
        .bind(&tenant)
        .bind(format!("{SEALED}%"))
        .fetch_all(&mut *conn)
        .await?;
        for row in &rows {
            let account = account(row)?;
            sqlx::query("UPDATE phone SET sealed = $1 WHERE tenant_id = $2 AND device_id = $3")
                .bind(sealed(key, &tenant, &account))
                .bind(&tenant)
                .bind(account.device.to_string())
                .execute(&mut *conn)
                .await?;
        }
    }
    Ok(())
}

/// What is kept of a secret (RFC 7616 section 3.4.2).
fn ha1(digest: Digest, username: &DialString, secret: &Token) -> Ha1 {
    let text = format!("{username}:{REALM}:{}", secret.reveal());
    let hex = match digest {
        Digest::Sha256 => hex(&Sha256::digest(&text)),
        Digest::Md5 => hex(&Md5::digest(&text)),
    };
    Ha1::new(digest, hex)
}

fn made_up() -> DialString {
    let digit = |byte: &u8| char::from(b'0' + byte % 10);
    let digits: String = random_bytes::<NAME_DIGITS>().iter().map(digit).collect();
    digits.parse().expect("digits can be dialled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_digits_and_differ() {
        let (one, other) = (made_up(), made_up());
        assert_ne!(one, other);
        assert!(one.as_str().len() == NAME_DIGITS);
        assert!(one.as_str().bytes().all(|b| b.is_ascii_digit()));
    }

    #[test]
    fn what_is_kept_depends_on_name_and_secret() {
        let name = "12345678".parse().expect("dialable");
        let other = "12345679".parse().expect("dialable");
        let (a, b) = (Token::phone(), Token::phone());
        let of = |name, secret| ha1(Digest::Sha256, name, secret);
        assert_eq!(of(&name, &a), of(&name, &a));
        assert_ne!(of(&name, &a), of(&name, &b));
        assert_ne!(of(&name, &a), of(&other, &a));
        let old = ha1(Digest::Md5, &name, &a);
        assert_eq!((of(&name, &a).hex().len(), old.hex().len()), (64, 32));
        assert_eq!(format!("{old:?}"), "Ha1(..)");
    }
}
