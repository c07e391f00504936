//! The record: everything that must survive, in one SQLite file and folders of blobs and
//! recordings beside it.

mod error;
mod floor {
    mod row;
    pub use row::{CallRow, FloorBatch, FloorRow, RecordingRow};
}
mod secret;
mod tenant;

pub use error::StoreError;
pub use floor::{CallRow, FloorBatch, FloorRow, RecordingRow};
pub use secret::{API_KEY_PREFIX, PasswordHash, Token, TokenDigest};
pub use tenant::{Actor, Ctx, Tenant};
