//! The record: everything that must survive, in one SQLite file and folders of blobs and
//! recordings beside it.
//!
//! All writes go through one task (`writer`), all queries of a tenant through its fence
//! ([`TenantDb`]), all configuration through drafts that become immutable versions ([`Edit`]).
//! Read `store` for the folder, `floor` for what cells hand in, `config` for what people change.

mod backup;
mod blob;
mod call;
mod callback;
mod checkpoint;
mod config;
mod connect;
mod error;
mod floor;
mod id;
mod journal;
mod key;
mod migrate;
mod phone;
mod secret;
mod session;
mod store;
mod tenant;
mod text;
mod user;
mod writer;

pub use backup::{Damaged, Manifest, ManifestFile, Restored, backup, restore};
pub use blob::make_private_folder;
pub use call::{CallFilter, CallPlace, ListedCall, Note};
pub use callback::{Callback, CallbackFilter, CallbackPlace};
pub use config::{ConfigDraft, ConfigVersion, Edit, Edited, FlowDraft, NewTenant, NumberClaim};
pub use error::StoreError;
pub use floor::{CallRow, FloorBatch, FloorLane, FloorRow, RecordingRow};
pub use id::fresh_id;
pub use key::{FileKey, HouseKey, KeyError, TAG_BYTES};
pub use phone::phone_secret;
pub use secret::{API_KEY_PREFIX, PasswordHash, Token, TokenDigest};
pub use session::{
    ApiKey, ListedKey, SETUP_TOKEN_LASTS, Session, SetupToken, TICKET_LASTS, Term, Tickets,
};
pub use store::Store;
pub use tenant::{Actor, Ctx, Tenant, TenantDb};
pub use user::{Role, User, fold_mail};
pub use writer::Figures;
