//! The arguments of `topics …`. Help texts stand here, beside what they explain.

use std::path::PathBuf;

use clap::Subcommand;

use super::args::Json;
use super::said::Said;
use crate::model::{PlaceId, TopicId};

/// `topics …`
#[derive(Debug, Subcommand)]
pub enum Topics {
    /// List the topics
    List(Json),
    /// Say what a text is about, with the words that made it
    Explain {
        /// A file whose first line is the title, or - for standard input
        file: PathBuf,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Compare the rules with items labelled by hand (JSON Lines)
    Eval {
        /// Lines of {"title","text","categories","topics","places"}
        file: PathBuf,
        /// Write what the rules found in each item, as JSON Lines
        #[arg(long, value_name = "OUT.jsonl")]
        predictions: Option<PathBuf>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show what changed rules would add and take away in the items that came in; writes nothing
    Diff(Diff),
    /// Look for rules that contradict themselves, are there twice, or never match what came in
    Check {
        /// A file of topics [default: that of the configuration]
        file: Option<PathBuf>,
        /// Match them with the items of so many days
        #[arg(long, value_name = "N", default_value_t = 365, value_parser = days())]
        days: u32,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Say that an item is about a topic or is not, matters in a place or does not
    ///
    /// It wins over the rules, for all revisions of the item, in the editions that are opened from
    /// now on.
    Correct(Correct),
    /// List what was corrected
    Corrections {
        /// Print JSON Lines
        #[arg(long, conflicts_with = "labelled")]
        json: bool,
        /// Print the corrected items as lines for topics eval
        #[arg(long)]
        labelled: bool,
    },
    /// Propose words that separate the corrected items, as rules to accept or not
    Suggest {
        /// The topic
        topic: TopicId,
        /// Compare them with the items of so many days
        #[arg(long, value_name = "N", default_value_t = 365, value_parser = days())]
        days: u32,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// `topics diff`
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("new").required(true).multiple(true))]
pub struct Diff {
    /// The changed file of topics
    #[arg(value_name = "NEW.toml", group = "new")]
    pub topics: Option<PathBuf>,
    /// The changed file of places
    #[arg(long, value_name = "NEW.toml", group = "new")]
    pub places: Option<PathBuf>,
    /// In the items of so many days
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = days())]
    pub days: u32,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `topics correct`
#[derive(Debug, clap::Args)]
#[command(override_usage = "banditore topics correct [OPTIONS] --by <NAME> <--is|--is-not> \
                            <ID|LINK> <TOPIC|--place <ID>>")]
#[command(group = clap::ArgGroup::new("subject").required(true))]
#[command(group = clap::ArgGroup::new("says").required(true))]
pub struct Correct {
    /// Its number, or the address of its page
    #[arg(value_name = "ID|LINK")]
    pub item: String,
    /// The topic
    #[arg(group = "subject")]
    pub topic: Option<TopicId>,
    /// Or the place
    #[arg(long, value_name = "ID", group = "subject")]
    pub place: Option<PlaceId>,
    /// The item is about it, or matters there
    #[arg(long, group = "says")]
    pub is: bool,
    /// The item is not about it, or does not matter there
    #[arg(long, group = "says")]
    pub is_not: bool,
    /// Who says so
    #[arg(long, value_name = "NAME")]
    pub by: Said,
}

/// The days of items that are looked at: at most ten years.
fn days() -> clap::builder::RangedU64ValueParser<u32> {
    clap::builder::RangedU64ValueParser::new().range(1..=3_650)
}
