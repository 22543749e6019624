//! The arguments of `source …`. Help texts stand here, beside what they explain.

use std::path::PathBuf;

use clap::Subcommand;

use super::args::Json;
use crate::config::{EVERY_SECONDS, parse_seconds};
use crate::ingest::SourceKind;
use crate::model::SourceId;

/// `source …`
#[derive(Debug, Subcommand)]
pub enum Source {
    /// Read a file or an address and show what is found
    Test {
        /// A file, or an http, https or file: address
        #[arg(value_name = "FILE|URL")]
        target: String,
        /// How to read it: auto, feed or page
        #[arg(long, value_parser = kind)]
        kind: Option<SourceKind>,
        /// Read it as this source of the configuration is read
        #[arg(long, value_name = "ID")]
        source: Option<SourceId>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// List the sources and how they are
    List(Json),
    /// Add a source to the database
    Add {
        /// Its id
        id: SourceId,
        /// Where it is and how it is read
        #[command(flatten)]
        added: Added,
    },
    /// Add the sources of an OPML file
    Import {
        /// The file, OPML 1.0 or 2.0
        file: PathBuf,
        /// Say what would happen and write nothing
        #[arg(long)]
        dry_run: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Write the sources as an OPML 2.0 file
    Export {
        /// The file [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// End the polling of a source that was added
    Remove {
        /// Its id
        id: SourceId,
    },
    /// Play stored answers of a source, each a poll, and count what would have been told
    Replay {
        /// A folder with one file for each answer, in the order of their names
        folder: PathBuf,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Poll a source now, or all that are due
    Poll {
        /// Its id
        id: Option<SourceId>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// A source that is added.
#[derive(Debug, clap::Args)]
pub struct Added {
    /// Its http or https address
    pub url: String,
    /// How to read it: auto, feed or page
    #[arg(long, value_parser = kind)]
    pub kind: Option<SourceKind>,
    /// From one poll to the next, such as 15m, 2h or 1d [default: as often as it changes]
    #[arg(long, value_name = "TIME", value_parser = every)]
    pub every: Option<i64>,
    /// Allow an address that is not public
    #[arg(long)]
    pub allow_private_network: bool,
    /// Where its items matter that name no place [default: the whole area]
    #[arg(long, value_name = "ID|NAME")]
    pub place: Option<String>,
}

fn every(text: &str) -> Result<i64, String> {
    parse_seconds(text, &EVERY_SECONDS)
        .ok_or_else(|| "write it as 15m, 2h or 1d, from 60s to 7d".to_owned())
}

fn kind(text: &str) -> Result<SourceKind, String> {
    match text {
        "auto" => Ok(SourceKind::Auto),
        "feed" => Ok(SourceKind::Feed),
        "page" => Ok(SourceKind::Page),
        _ => Err("the kinds are auto, feed and page".to_owned()),
    }
}
