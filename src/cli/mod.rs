//! The command line: one file a group of commands. It parses, calls the rooms, and prints; with
//! `--json` one document on standard output and nothing else there.

mod acting;
mod args;
mod bounces;
mod check;
mod corrections;
mod deliver;
mod demo;
mod digest;
mod dkim;
mod dry_run;
mod editions;
mod error;
mod explain;
mod init;
mod items;
mod messages;
mod messages_count;
mod moving;
mod opml;
mod output;
mod replay;
mod said;
mod serve;
mod source;
mod source_args;
mod source_list;
mod stored;
mod subscribers;
mod testing;
mod topics;
mod topics_args;
mod topics_check;
mod topics_diff;
mod topics_explain;
mod trace;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

pub use args::{Args, Command};
pub use error::CliError;
use error::is_wrong_usage;

use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::installation::{Installation, load_rules};
use crate::store::Actor;
use crate::topics::Rules;

/// What commands share.
struct Context {
    config: Option<std::path::PathBuf>,
    clock: Clock,
    actor: Actor,
}

impl Context {
    async fn open(&self) -> Result<Installation, CliError> {
        let (config, clock) = (self.config.as_deref(), self.clock.clone());
        Ok(Installation::open(config, clock, self.actor.clone()).await?)
    }

    /// For commands that poll, plan or deliver: not on a database that was moved from.
    async fn open_to_work(&self) -> Result<Installation, CliError> {
        let installation = self.open().await?;
        installation.store.require_in_use().await?;
        Ok(installation)
    }

    /// The configuration; none where no file is named and none is there.
    fn config_if_any(&self) -> Result<Option<Config>, CliError> {
        match (&self.config, Config::load(self.config.as_deref())) {
            (_, Ok(config)) => Ok(Some(config)),
            (None, Err(ConfigError::NoFile)) => Ok(None),
            (_, Err(error)) => Err(error.into()),
        }
    }

    /// For commands that change nothing.
    async fn open_to_look(&self) -> Result<Installation, CliError> {
        let (config, clock) = (self.config.as_deref(), self.clock.clone());
        Ok(Installation::open_to_look(config, clock, self.actor.clone()).await?)
    }
}

/// The rules of a configuration and its site's zone; without one, the rules that come with the
/// program and the usual zone.
fn rules_and_zone(config: Option<&Config>) -> Result<(Rules, chrono_tz::Tz), CliError> {
    Ok(match config {
        Some(config) => (load_rules(config)?, config.site.timezone),
        None => (Rules::built_in(), chrono_tz::Europe::Rome),
    })
}

/// The program: parses its arguments, does what they ask, and says how it went.
pub fn main() -> ExitCode {
    let parsed = Args::command().try_get_matches().and_then(|matches| {
        let command = acting::command_of(&matches);
        Ok((Args::from_arg_matches(&matches)?, command))
    });
    let (args, command) = match parsed {
        Ok(parsed) => parsed,
        // Help and version are no errors, and print where they belong.
        Err(error) if !is_wrong_usage(&error) => error.exit(),
        Err(error) => return report(&CliError::from(error)),
    };
    start_logging(matches!(args.command, Command::Serve(_)));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return report(&CliError::failed(
                format!("the program cannot start: {error}"),
                "look whether this user may start threads and open files",
            ));
        }
    };
    let ended = runtime.block_on(run(args, &command));
    // A name that is still looked up, or a text that is still read, is nobody's concern any more.
    runtime.shutdown_timeout(LEFTOVERS_LIMIT);
    match ended {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

/// How long work that nobody waits for may go on when the program ends.
const LEFTOVERS_LIMIT: std::time::Duration = std::time::Duration::from_millis(500);

/// Says on standard error what happened and what to do; gives the exit status.
fn report(error: &CliError) -> ExitCode {
    output::print_error(error);
    ExitCode::from(error.code)
}

/// Does what the arguments ask, for the trace under the command's name: `subscribers import`.
///
/// # Errors
/// [`CliError`], with what happened, a hint, and the exit status.
pub async fn run(args: Args, command: &str) -> Result<ExitCode, CliError> {
    let clock = args.at.map_or_else(Clock::system, Clock::started_at);
    let context = Context { config: args.config, clock, actor: acting::command(command) };
    match args.command {
        Command::Demo(demo) => demo::run(demo).await,
        Command::Init(init) => init::run(&init),
        Command::Check(check) => check::run(&context, &check).await,
        Command::Migrate(migrate) => init::migrate(&context, &migrate).await,
        Command::Once(once) => deliver::once(&context, &once).await,
        Command::Serve(serve) => serve::run(&context, &serve).await,
        Command::Source(source) => source::run(&context, source).await,
        Command::Topics(topics) => topics::run(&context, topics).await,
        Command::Subscribers(subscribers) => subscribers::run(&context, subscribers).await,
        Command::Digest(digest) => digest::run(&context, digest).await,
        Command::Deliver(deliver) => deliver::deliver(&context, &deliver).await,
        Command::Dkim(command) => dkim::run(command),
        Command::Explain(explain) => explain::explain(&context, &explain).await,
        Command::Audit(audit) => explain::audit(&context, &audit).await,
        Command::Bounces(bounces) => bounces::run(bounces),
        Command::Items(items) => items::run(&context, items).await,
        Command::Editions(editions) => editions::run(&context, editions).await,
        Command::Move(to) => moving::run(&context, &to).await,
        Command::Trace(trace) => trace::run(&context, &trace).await,
        Command::Messages(messages) => messages::run(&context, messages).await,
    }
}

/// Logs go to standard error, as `RUST_LOG` asks; warnings where it does not, of a daemon also what
/// it does, and of the database's driver errors alone.
fn start_logging(daemon: bool) {
    use std::io::IsTerminal as _;
    use tracing_subscriber::EnvFilter;
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|asked| !asked.is_empty());
    let asked = asked.and_then(|asked| EnvFilter::try_new(asked).ok());
    let filter = asked.unwrap_or_else(|| {
        let own = if daemon { "info" } else { "warn" };
        EnvFilter::new(format!("warn,banditore={own},{}=error", crate::store::DRIVER))
    });
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}
