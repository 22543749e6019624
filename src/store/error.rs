//! What can go wrong between the program and its database.

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address names a database that this version does not speak.
    #[error("{0:?} is no database address that this version can open")]
    Address(String),
    /// The database cannot be opened.
    #[error("the database {url} cannot be opened: {cause}")]
    Unreachable {
        /// Its address.
        url: String,
        /// What the system said.
        cause: String,
    },
    /// The tables are older than this version.
    #[error("the database is {missing} step(s) behind this version")]
    Behind {
        /// How many migrations are missing.
        missing: usize,
    },
    /// The tables are newer than this version.
    #[error("the database was made by a later version of Banditore (step {found})")]
    Newer {
        /// The newest migration found.
        found: i64,
    },
    /// Another process delivers from this database.
    #[error("another process is delivering from this database (lock {path})")]
    DeliveryTaken {
        /// The lock's file.
        path: String,
    },
    /// Another daemon serves this database.
    #[error("another daemon serves this database (lock {path})")]
    DaemonTaken {
        /// The lock's file.
        path: String,
    },
    /// The installation was moved away from this database.
    #[error("this installation was moved to {to}, and must not work from two databases")]
    Moved {
        /// Where to, without a password.
        to: String,
    },
    /// What was stored is not what this version stores.
    #[error("the database holds a {what} that cannot be read: {text:?}")]
    Unreadable {
        /// What it should have been.
        what: &'static str,
        /// What stood there.
        text: String,
    },
    /// A row that must not exist twice exists already.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// Anything else the database said.
    #[error("the database failed")]
    Sql(#[from] sqlx::Error),
    /// A migration failed.
    #[error("the database's tables could not be brought to this version")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl StoreError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Address(_) => {
                "write url = \"sqlite://banditore.db\" or url = \"postgres://…\" under [database]"
            }
            Self::Unreachable { .. } => {
                "look whether the folder exists and may be written to by this user, or whether the \
                 database server runs and lets this user in"
            }
            Self::Behind { .. } => "run `banditore migrate`, then try again",
            Self::Newer { .. } => "use the version that made it, or a later one",
            Self::DeliveryTaken { .. } => "wait until it has finished, or stop it first",
            Self::DaemonTaken { .. } => {
                "stop it first; other commands work beside it, and on PostgreSQL several daemons \
                 share the work"
            }
            Self::Moved { .. } => {
                "write the new address in the configuration, under [database]; should this one be \
                 used again after all, run `banditore move --take-back`"
            }
            Self::Unreadable { .. } => {
                "was the database changed by hand? restore a backup, or put the value right"
            }
            Self::Exists(_) => "nothing was changed",
            Self::Sql(_) | Self::Migrate(_) => {
                "look at the cause above: a full disk, a lock held for long, a damaged file"
            }
        }
    }

    /// Whether the same may go well a little later, since it is the database that is away, busy or
    /// full: a program that lives on tries again.
    pub fn is_transient(&self) -> bool {
        use sqlx::Error;
        let code = |cause: &dyn sqlx::error::DatabaseError| {
            cause.code().is_some_and(|code| may_pass(&code))
        };
        match self {
            Self::Unreachable { .. } => true,
            Self::Sql(Error::Database(cause)) => code(cause.as_ref()),
            Self::Sql(cause) => matches!(
                cause,
                Error::Io(_)
                    | Error::Tls(_)
                    | Error::Protocol(_)
                    | Error::PoolTimedOut
                    | Error::WorkerCrashed
                    | Error::BeginFailed
            ),
            _ => false,
        }
    }

    /// The same error, told as "exists already" where it is about a unique key.
    pub(super) fn or_exists(self, what: &'static str) -> Self {
        match self {
            Self::Sql(sqlx::Error::Database(ref cause)) if cause.is_unique_violation() => {
                Self::Exists(what)
            }
            other => other,
        }
    }
}

/// Whether a database's code is about something that passes. SQLite's are numbers (busy, locked,
/// out of memory, I/O, full, cannot open; the low octet is the kind); PostgreSQL's have five
/// characters (connection, resources, intervention, lock, serialization and deadlock).
fn may_pass(code: &str) -> bool {
    const SQLITE: [i64; 6] = [5, 6, 7, 10, 13, 14];
    const POSTGRES: [&str; 6] = ["08", "40", "53", "57", "58", "55P03"];
    match code.parse::<i64>() {
        Ok(number) if code.len() < 5 => SQLITE.contains(&(number & 0xff)),
        _ => POSTGRES.iter().any(|class| code.starts_with(class)),
    }
}
