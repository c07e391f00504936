//! Between model values and columns: words of enums, ids, times.

use std::str::FromStr;

use model::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::error::StoreError;

/// The one word of a unit variant, as in JSON.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable!("only unit variants are stored as words, not {other:?}"),
    }
}

/// Typed columns. A value that cannot be read is damage, never a panic.
pub(crate) trait Columns {
    fn text(&self, column: &str) -> Result<String, StoreError>;
    fn text_opt(&self, column: &str) -> Result<Option<String>, StoreError>;
    fn number(&self, column: &str) -> Result<i64, StoreError>;
    fn number_opt(&self, column: &str) -> Result<Option<i64>, StoreError>;
    fn flag(&self, column: &str) -> Result<bool, StoreError>;
    fn flag_opt(&self, column: &str) -> Result<Option<bool>, StoreError>;

    /// A number that is never negative.
    fn count(&self, column: &str) -> Result<u64, StoreError> {
        u64::try_from(self.number(column)?).map_err(|_| unreadable(column))
    }

    /// Microseconds as a time.
    fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.number(column).map(Timestamp::from_micros)
    }

    /// Microseconds as a time, or none.
    fn time_opt(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.number_opt(column)?.map(Timestamp::from_micros))
    }

    /// A text with a strict form: an id, a number.
    fn parsed<T: FromStr>(&self, column: &str) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|_| unreadable(column))
    }

    /// The same, or none.
    fn parsed_opt<T: FromStr>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let parse = |text: String| text.parse().map_err(|_| unreadable(column));
        self.text_opt(column)?.map(parse).transpose()
    }

    /// The word of a unit variant.
    fn word<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        from_word(self.text(column)?, column)
    }

    /// The same, or none.
    fn word_opt<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, StoreError> {
        self.text_opt(column)?.map(|text| from_word(text, column)).transpose()
    }

    /// A JSON document.
    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        let text = self.text(column)?;
        serde_json::from_str(&text)
            .map_err(|error| StoreError::damaged(format!("column {column}: {error}")))
    }
}

impl Columns for SqliteRow {
    fn text(&self, column: &str) -> Result<String, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn text_opt(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn number(&self, column: &str) -> Result<i64, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn number_opt(&self, column: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.try_get(column)?)
    }
    fn flag_opt(&self, column: &str) -> Result<Option<bool>, StoreError> {
        Ok(self.try_get(column)?)
    }
}

fn from_word<T: DeserializeOwned>(text: String, column: &str) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(text)).map_err(|_| unreadable(column))
}

fn unreadable(column: &str) -> StoreError {
    StoreError::damaged(format!("column {column} holds no valid value"))
}
