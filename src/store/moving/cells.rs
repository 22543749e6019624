//! The values of a row: read from either engine, written as COPY reads them, and digested in one
//! form for both.

use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::store::value::storable;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Text,
    Blob,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl Kind {
    /// The kind by PostgreSQL's name of a type.
    pub(super) fn of(data_type: &str) -> Option<Self> {
        match data_type {
            "bigint" => Some(Self::Int),
            "text" => Some(Self::Text),
            "bytea" => Some(Self::Blob),
            _ => None,
        }
    }
}

impl Cell {
    /// SQLite keeps a type with each value and not with its column, so what it holds is read as
    /// what the column is for. A character that PostgreSQL has no place for is replaced, as it is
    /// for whatever is written today.
    pub(super) fn of_sqlite(
        row: &SqliteRow,
        index: usize,
        kind: Kind,
    ) -> Result<Self, sqlx::Error> {
        Ok(match kind {
            Kind::Int => row.try_get_unchecked::<Option<i64>, _>(index)?.into(),
            Kind::Text => row.try_get_unchecked::<Option<String>, _>(index)?.map(storable).into(),
            Kind::Blob => row.try_get_unchecked::<Option<Vec<u8>>, _>(index)?.into(),
        })
    }

    pub(super) fn of_postgres(row: &PgRow, index: usize, kind: Kind) -> Result<Self, sqlx::Error> {
        Ok(match kind {
            Kind::Int => row.try_get::<Option<i64>, _>(index)?.into(),
            Kind::Text => row.try_get::<Option<String>, _>(index)?.into(),
            Kind::Blob => row.try_get::<Option<Vec<u8>>, _>(index)?.into(),
        })
    }

    /// Writes it as the text format of COPY has it.
    pub(super) fn copy_into(&self, line: &mut Vec<u8>) {
        match self {
            Self::Null => line.extend_from_slice(b"\\N"),
            Self::Int(value) => line.extend_from_slice(value.to_string().as_bytes()),
            Self::Text(text) => {
                for octet in text.bytes() {
                    match octet {
                        b'\\' => line.extend_from_slice(b"\\\\"),
                        b'\t' => line.extend_from_slice(b"\\t"),
                        b'\n' => line.extend_from_slice(b"\\n"),
                        b'\r' => line.extend_from_slice(b"\\r"),
                        octet => line.push(octet),
                    }
                }
            }
            // The backslash of bytea's own form is escaped like any other.
            Self::Blob(octets) => {
                line.extend_from_slice(b"\\\\x");
                line.extend_from_slice(data_encoding::HEXLOWER.encode(octets).as_bytes());
            }
        }
    }
}

impl From<Option<i64>> for Cell {
    fn from(value: Option<i64>) -> Self {
        value.map_or(Self::Null, Self::Int)
    }
}

impl From<Option<String>> for Cell {
    fn from(value: Option<String>) -> Self {
        value.map_or(Self::Null, Self::Text)
    }
}

impl From<Option<Vec<u8>>> for Cell {
    fn from(value: Option<Vec<u8>>) -> Self {
        value.map_or(Self::Null, Self::Blob)
    }
}

/// Rows, counted and digested in their order.
#[derive(Clone, Debug)]
pub(super) struct Digest {
    rows: i64,
    sum: Sha256,
}

impl Digest {
    pub(super) fn new() -> Self {
        Self { rows: 0, sum: Sha256::new() }
    }

    pub(super) fn rows(&self) -> i64 {
        self.rows
    }

    /// Adds a row. Each value has its kind and its length before it, so that no two rows are alike.
    pub(super) fn add(&mut self, row: &[Cell]) {
        self.rows += 1;
        for cell in row {
            let (kind, octets): (&[u8], &[u8]) = match cell {
                Cell::Null => (b"n", &[]),
                Cell::Int(value) => (b"i", &value.to_be_bytes()),
                Cell::Text(text) => (b"t", text.as_bytes()),
                Cell::Blob(octets) => (b"b", octets),
            };
            self.sum.update(kind);
            self.sum.update((octets.len() as u64).to_be_bytes());
            self.sum.update(octets);
        }
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows && self.sum.clone().finalize() == other.sum.clone().finalize()
    }
}
