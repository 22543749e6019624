//! The commands and their arguments. Help texts stand here, beside what they explain.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Parser, Subcommand};

use super::bounces::Bounces;
use super::dkim::Dkim;
use super::items::Items;
use super::said::Said;
pub use super::source_args::{Added, Source};
use crate::audience::EmailAddress;
use crate::daemon::Part;
use crate::delivery::{DRY_RUN_MESSAGES_DEFAULT, DRY_RUN_MESSAGES_MAX};
use crate::model::{CadenceId, ListId, SourceId, Timestamp};
use crate::store::MessageState;

/// Reads a public body's news and tells exactly the people who asked, by mail, once, with the
/// reason why.
#[derive(Debug, Parser)]
#[command(name = "banditore", version, max_term_width = 100)]
pub struct Args {
    /// The configuration [default: ./banditore.toml, then /etc/banditore/banditore.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Start the clock of this one command at a time, such as 2026-11-25T07:00:00+01:00
    #[arg(long, global = true, value_name = "TIME", value_parser = time)]
    pub at: Option<Timestamp>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show everything at work, in one process, without configuration
    Demo(Demo),
    /// Write a commented configuration that works
    Init(Init),
    /// Look whether configuration, rules, templates, database and relay are as they should be
    Check(Check),
    /// Make the database, or bring it to this version's form
    Migrate(Json),
    /// Poll what is due, plan what is due, deliver what is due, and end
    Once(Json),
    /// Do all of it on and on, and serve the pages, until SIGTERM
    Serve(Serve),
    /// Look at sources: try one, list, add, remove, poll, import, export
    #[command(subcommand)]
    Source(Source),
    /// Look at topics, and at what the rules find in a text
    #[command(subcommand)]
    Topics(super::topics_args::Topics),
    /// Import, export, show, suppress and erase subscribers
    #[command(subcommand)]
    Subscribers(Subscribers),
    /// Plan, preview, run, approve and refuse editions
    #[command(subcommand)]
    Digest(Digest),
    /// Deliver the messages that are due
    Deliver(Deliver),
    /// Make the keys that sign mail, and their DNS records
    #[command(subcommand)]
    Dkim(Dkim),
    /// Say why somebody was told an item, or was not
    Explain(Explain),
    /// Add up the ledger: fails where a message is missing or too many
    Audit(Audit),
    /// Look at messages, send them again, drop them
    #[command(subcommand)]
    Messages(Messages),
    /// Read what came back: bounces, complaints, automatic replies
    #[command(subcommand)]
    Bounces(Bounces),
    /// Look at items that are held, release them, drop them
    #[command(subcommand)]
    Items(Items),
    /// Archive old editions
    #[command(subcommand)]
    Editions(Editions),
    /// Copy the installation from SQLite into PostgreSQL
    Move(Move),
    /// Show who did what, the newest first
    Trace(Trace),
}

/// A command whose only option is its output.
#[derive(Debug, clap::Args)]
pub struct Json {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `demo`
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// The port of the page to open; others are chosen freely
    #[arg(long, default_value_t = 8025)]
    pub port: u16,
    /// Keep the data in this folder instead of a temporary one
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Run one whole cycle and end
    #[arg(long)]
    pub once: bool,
    /// With --once: print one JSON document
    #[arg(long, requires = "once")]
    pub json: bool,
    /// Listen on this address
    #[arg(long, hide = true, default_value_t = Ipv4Addr::LOCALHOST)]
    pub bind: Ipv4Addr,
}

/// `init`
#[derive(Debug, clap::Args)]
pub struct Init {
    /// Where to write; nothing that is there is overwritten
    #[arg(default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
}

/// `check`
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Do not connect to the relay
    #[arg(long)]
    pub offline: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `serve`
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Only these parts, with commas between: ingest, editions, delivery, web
    #[arg(long, value_name = "PARTS", value_delimiter = ',')]
    pub only: Vec<Part>,
}

/// `subscribers …`
#[derive(Debug, Subcommand)]
pub enum Subscribers {
    /// Subscribe the addresses of a CSV file
    ///
    /// Columns: email, name, topics, places, words, cadence, language; only email must be there.
    /// Topics, places and words are separated by semicolons; none stands for all.
    Import {
        /// The file
        file: PathBuf,
        /// The list they join
        #[arg(long)]
        list: ListId,
        /// How and when they consented; kept with each subscription
        #[arg(long, value_name = "TEXT")]
        consent: Option<Said>,
        /// Say what would happen and write nothing
        #[arg(long)]
        dry_run: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Write the subscribers of a list as a CSV file that can be imported
    ///
    /// Addresses that must not be written to are left out.
    Export {
        /// The list
        #[arg(long)]
        list: ListId,
        /// The file [default: standard output]
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Show all that is held about a person
    Show {
        /// The address
        email: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Erase a person; a keyed hash stays, so that no import brings the address back
    Erase {
        /// The address
        email: String,
        /// Why
        #[arg(long)]
        reason: Said,
        /// Who wants it
        #[arg(long, value_name = "NAME")]
        by: Option<Said>,
    },
    /// Never write to an address again
    Suppress {
        /// The address
        email: String,
        /// Why
        #[arg(long)]
        reason: Said,
        /// Who wants it
        #[arg(long, value_name = "NAME")]
        by: Option<Said>,
    },
    /// Let an address be written to again
    Unsuppress {
        /// The address
        email: String,
        /// Why; it stays in the trace for good, so name nobody
        #[arg(long)]
        reason: Said,
        /// Who wants it
        #[arg(long, value_name = "NAME")]
        by: Option<Said>,
    },
}

/// `digest …`
#[derive(Debug, Subcommand)]
pub enum Digest {
    /// Say what the next edition would be, and write nothing
    Plan {
        /// The list
        #[arg(long)]
        list: ListId,
        /// The cadence
        #[arg(long)]
        cadence: CadenceId,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Write the mails of the next edition as files, and send nothing
    Preview {
        /// The list
        #[arg(long)]
        list: ListId,
        /// The cadence
        #[arg(long)]
        cadence: CadenceId,
        /// Only what this subscriber would get
        #[arg(long, value_name = "EMAIL")]
        subscriber: Option<String>,
        /// The folder for .eml, .html and .txt
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Plan and queue what is due
    Run(Json),
    /// Let an edition that waits go out
    Approve {
        /// The edition
        edition: i64,
        /// Who approves it
        #[arg(long, value_name = "NAME")]
        by: Said,
    },
    /// Refuse an edition that waits
    #[command(group = clap::ArgGroup::new("entries").required(true))]
    Refuse {
        /// The edition
        edition: i64,
        /// What it told is not told any more
        #[arg(long, group = "entries")]
        drop: bool,
        /// What it told comes with the next edition
        #[arg(long = "return", group = "entries")]
        give_back: bool,
        /// Who refuses it
        #[arg(long, value_name = "NAME")]
        by: Said,
    },
}

/// `deliver`
#[derive(Debug, clap::Args)]
pub struct Deliver {
    /// Wait for leases and retries, and end when nothing is on its way any more
    #[arg(long)]
    pub until_empty: bool,
    /// Dry run: write the mails that are due into a new or empty folder, and send nothing
    #[arg(long, value_name = "DIR", conflicts_with = "until_empty")]
    pub to_folder: Option<PathBuf>,
    /// Dry run: send the mails that are due to this address, with a banner, and to nobody else
    #[arg(long, value_name = "EMAIL", conflicts_with_all = ["until_empty", "to_folder"])]
    pub redirect_to: Option<EmailAddress>,
    /// The most mails of a dry run
    #[arg(long, value_name = "N", default_value_t = DRY_RUN_MESSAGES_DEFAULT,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(DRY_RUN_MESSAGES_MAX)))]
    pub limit: u32,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `explain`
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// The item's id, or the address of its page
    #[arg(long, value_name = "ID|LINK")]
    pub item: String,
    /// The subscriber's address
    #[arg(long, value_name = "EMAIL")]
    pub subscriber: String,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `audit`
#[derive(Debug, clap::Args)]
pub struct Audit {
    /// Only this edition
    #[arg(long, value_name = "ID")]
    pub edition: Option<i64>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `messages …`
#[derive(Debug, Subcommand)]
pub enum Messages {
    /// List messages
    List {
        /// Only those in this state
        #[arg(long)]
        state: Option<MessageState>,
        /// Print JSON Lines
        #[arg(long)]
        json: bool,
    },
    /// Count an edition's messages by domain and by reason
    Count {
        /// The edition
        #[arg(long, value_name = "ID")]
        edition: i64,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Send messages again that are held, failed, expired or dropped
    Resend {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<i64>,
        /// Who wants it
        #[arg(long, value_name = "NAME")]
        by: Said,
    },
    /// Drop messages that are held or wait
    Drop {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<i64>,
        /// Who wants it
        #[arg(long, value_name = "NAME")]
        by: Said,
    },
}

/// `editions …`
#[derive(Debug, Subcommand)]
pub enum Editions {
    /// Take the messages of old editions out of the database, and keep their sums
    ///
    /// Editions of which something is under way or held stay, and so do those of the last 7 days.
    Archive {
        /// Editions with a slot before this day, such as 2026-09-01
        #[arg(long, value_name = "DATE", value_parser = date)]
        before: NaiveDate,
        /// Write the messages and their attempts into this new file first, as JSON Lines
        #[arg(long, value_name = "FILE.jsonl")]
        out: Option<PathBuf>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// `move`
#[derive(Debug, clap::Args)]
pub struct Move {
    /// The database to copy into: postgres://user@host/database
    #[arg(long, value_name = "ADDRESS", required_unless_present = "take_back")]
    pub to: Option<String>,
    /// Take away what the target holds, where it is an older copy of this installation
    #[arg(long)]
    pub replace: bool,
    /// Use this database again, which was moved: nobody may use the other any more
    #[arg(long, conflicts_with_all = ["to", "replace"])]
    pub take_back: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `trace`
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("about"))]
pub struct Trace {
    /// Only what was done to this address and its subscriptions
    #[arg(long, value_name = "EMAIL", group = "about")]
    pub subscriber: Option<String>,
    /// Only what was done to this list
    #[arg(long, value_name = "ID", group = "about")]
    pub list: Option<ListId>,
    /// Only what was done to this source
    #[arg(long, value_name = "ID", group = "about")]
    pub source: Option<SourceId>,
    /// Only what was done to this edition
    #[arg(long, value_name = "ID", group = "about")]
    pub edition: Option<i64>,
    /// Only what was done to this message
    #[arg(long, value_name = "ID", group = "about")]
    pub message: Option<i64>,
    /// The most lines
    #[arg(long, default_value_t = 100, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Print JSON Lines
    #[arg(long)]
    pub json: bool,
}

fn date(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|error| format!("{error}; write it as 2026-09-01"))
}

fn time(text: &str) -> Result<Timestamp, String> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(Timestamp::from)
        .map_err(|error| format!("{error}; write it as 2026-11-25T07:00:00+01:00"))
}
