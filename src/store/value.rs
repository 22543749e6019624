//! Values on their way into statements, and rows on their way out, in types both engines share.

use std::str::FromStr;

use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::StoreError;
use crate::model::{CadenceId, ListId, PlaceId, SourceId, Timestamp, TopicId};

/// A parameter. Absent values keep their type, which PostgreSQL asks for.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Blob(Vec<u8>),
}

/// Parameters from anything that has a place in a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::store::value::Value::from($value)),*] };
}
pub(super) use values;

macro_rules! from {
    ($($type:ty => |$value:ident| $made:expr;)*) => {
        $(impl From<$type> for Value { fn from($value: $type) -> Self { $made } })*
    };
}

from! {
    i64 => |value| Value::Int(Some(value));
    Option<i64> => |value| Value::Int(value);
    bool => |value| Value::Int(Some(i64::from(value)));
    Timestamp => |value| Value::Int(Some(value.0));
    Option<Timestamp> => |value| Value::Int(value.map(|time| time.0));
    &str => |value| Value::Text(Some(storable(value.to_owned())));
    String => |value| Value::Text(Some(storable(value)));
    &String => |value| Value::Text(Some(storable(value.clone())));
    Option<&str> => |value| Value::Text(value.map(|text| storable(text.to_owned())));
    Option<String> => |value| Value::Text(value.map(storable));
    Vec<u8> => |value| Value::Blob(value);
    &[u8] => |value| Value::Blob(value.to_vec());
    &SourceId => |value| Value::Text(Some(value.to_string()));
    &ListId => |value| Value::Text(Some(value.to_string()));
    &CadenceId => |value| Value::Text(Some(value.to_string()));
    &TopicId => |value| Value::Text(Some(value.to_string()));
    &PlaceId => |value| Value::Text(Some(value.to_string()));
}

/// PostgreSQL has no place for the character NUL in a text; neither has anybody who reads it.
pub(super) fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// A statement with its parameters, for the engine that will run it.
macro_rules! bind {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query($sql);
        for value in $values {
            query = match value.clone() {
                $crate::store::value::Value::Int(value) => query.bind(value),
                $crate::store::value::Value::Text(value) => query.bind(value),
                $crate::store::value::Value::Blob(value) => query.bind(value),
            };
        }
        query
    }};
}
pub(super) use bind;

/// A row of an answer. Columns are read by name, into the type that is asked for.
#[derive(Debug)]
pub enum Row {
    #[doc(hidden)]
    Sqlite(SqliteRow),
    #[doc(hidden)]
    Postgres(PgRow),
}

impl Row {
    fn get<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(super) fn int(&self, column: &str) -> Result<i64, StoreError> {
        self.get(column)
    }

    pub(super) fn int_or_none(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.get(column)
    }

    pub(super) fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }

    pub(super) fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp(self.int(column)?))
    }

    pub(super) fn time_or_none(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.int_or_none(column)?.map(Timestamp))
    }

    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        self.get(column)
    }

    pub(super) fn text_or_none(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    pub(super) fn blob(&self, column: &str) -> Result<Vec<u8>, StoreError> {
        self.get(column)
    }

    /// Text that is one of our words: an id, a state, a language.
    pub(super) fn word<T: FromStr>(
        &self,
        column: &str,
        what: &'static str,
    ) -> Result<T, StoreError> {
        let text = self.text(column)?;
        text.parse().map_err(|_| StoreError::Unreadable { what, text })
    }

    /// The same, where there may be none.
    pub(super) fn word_or_none<T: FromStr>(
        &self,
        column: &str,
        what: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let Some(text) = self.text_or_none(column)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| StoreError::Unreadable { what, text })
    }

    /// JSON text.
    pub(super) fn json<T: DeserializeOwned>(
        &self,
        column: &str,
        what: &'static str,
    ) -> Result<T, StoreError> {
        let text = self.text(column)?;
        serde_json::from_str(&text).map_err(|_| StoreError::Unreadable { what, text })
    }
}

/// JSON text of a value whose form cannot fail to be written.
pub(super) fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("lists of ids and texts always have a JSON form")
}
