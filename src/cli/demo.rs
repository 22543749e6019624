//! `demo`

use std::process::ExitCode;
use std::time::Duration;

use chrono_tz::Europe::Rome;

use super::output::{print, print_json};
use super::{CliError, args};
use crate::clock::Clock;
use crate::demo::{
    CLOCK_SPEED, CycleReport, DATABASE_FILE, Demo, DemoError, DemoSettings, start_of_clock,
};
use crate::round::RoundReport;

/// How often the demo works.
const TURN_EVERY: Duration = Duration::from_millis(500);
/// How often its news site publishes something.
const NEWS_EVERY: Duration = Duration::from_secs(30);

/// Shows everything at work.
pub async fn run(args: args::Demo) -> Result<ExitCode, CliError> {
    // Kept until the end: a temporary folder goes when it is dropped.
    let (dir, _temporary) = match args.dir {
        Some(dir) => {
            std::fs::create_dir_all(&dir).map_err(|error| no_folder(&dir, &error))?;
            if dir.join(DATABASE_FILE).exists() {
                // Its clock stands elsewhere and its links were made with another secret.
                return Err(CliError::failed(
                    format!("{} has the data of an earlier demo", dir.display()),
                    "look at it as long as you like, and name another folder for a new one",
                ));
            }
            (dir, None)
        }
        None => {
            let temporary = tempfile::Builder::new().prefix("banditore-demo-").tempdir();
            let temporary = temporary.map_err(|error| no_folder(&std::env::temp_dir(), &error))?;
            (temporary.path().to_owned(), Some(temporary))
        }
    };
    let start = start_of_clock(Clock::system().now());
    if args.once {
        let settings = DemoSettings { port: 0, bind: args.bind, dir };
        let demo = Demo::start(&settings, Clock::stepped(start)).await?;
        let report = demo.cycle().await?;
        demo.installation.store.close().await;
        return print_cycle(&report, args.json);
    }
    let settings = DemoSettings { port: args.port, bind: args.bind, dir };
    let demo = Demo::start(&settings, Clock::running(start, CLOCK_SPEED)).await?;
    print(&format!(
        "The demo is running; everything stays on this machine. A day passes in six minutes.\n\
         \n  start here   {pages}/\n  mailbox      {pages}/mailbox\n  news site    {news}/news\n\
         \nStop it with Ctrl-C.\n\n",
        pages = demo.pages,
        news = demo.news_pages,
    ))?;
    let work = work(&demo);
    tokio::select! {
        worked = work => worked?,
        _ = tokio::signal::ctrl_c() => print("\nstopped\n")?,
    }
    demo.installation.store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn work(demo: &Demo) -> Result<(), CliError> {
    let mut turns = tokio::time::interval(TURN_EVERY);
    let mut news = tokio::time::interval_at(tokio::time::Instant::now() + NEWS_EVERY, NEWS_EVERY);
    let mut all_told = false;
    loop {
        tokio::select! {
            _ = turns.tick() => say_turn(demo, &demo.turn().await?)?,
            _ = news.tick(), if !all_told => match demo.publish() {
                Some(title) => say(demo, &format!("the news site publishes {title:?}"))?,
                None => {
                    all_told = true;
                    say(demo, "the news site has published all it had; the days go on")?;
                }
            },
        }
    }
}

fn say(demo: &Demo, what: &str) -> Result<(), CliError> {
    let time = demo.installation.clock.now().in_zone(Rome).format("%a %H:%M");
    print(&format!("{time}  {what}\n"))
}

fn say_turn(demo: &Demo, turn: &RoundReport) -> Result<(), CliError> {
    if turn.new_items > 0 {
        say(demo, &format!("{} new item(s) found and understood", turn.new_items))?;
    }
    if turn.messages > 0 {
        let RoundReport { editions, messages, totals, .. } = turn;
        let accepted = totals.accepted;
        say(demo, &format!("{editions} edition(s), {messages} mail(s), {accepted} delivered"))?;
    }
    for error in &turn.errors {
        say(demo, error)?;
    }
    Ok(())
}

fn print_cycle(report: &CycleReport, json: bool) -> Result<ExitCode, CliError> {
    if json {
        print_json(report)?;
    } else {
        let CycleReport { items, subscribers, editions, messages, accepted } = report;
        print(&format!(
            "{items} items read, {subscribers} subscribers, {editions} editions, \
             {messages} messages, {accepted} accepted\n"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn no_folder(dir: &std::path::Path, error: &std::io::Error) -> CliError {
    let hint = "name a folder that may be written to: demo --dir DIR";
    CliError::failed(format!("{}: {error}", dir.display()), hint)
}

impl From<DemoError> for CliError {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Open(error) => error.into(),
            DemoError::Import(error) => error.into(),
            DemoError::Round(error) => error.into(),
            error @ DemoError::Port { .. } => Self::failed(
                error.to_string(),
                "name another: demo --port N; 0 takes any that is free",
            ),
        }
    }
}
