//! `topics …`

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::output::{print, print_json, table};
use super::{CliError, Context, args};
use crate::config::Config;
use crate::installation::load_rules;
use crate::model::Language;
use crate::topics::{Classification, ItemText, Rules, evaluate};

/// The longest text that is explained, in octets.
const TEXT_OCTETS_MAX: u64 = 4 << 20;

/// Runs one of the commands.
pub fn run(context: &Context, command: args::Topics) -> Result<ExitCode, CliError> {
    let rules = rules(context)?;
    match command {
        args::Topics::List(args) => list(&rules, args.json),
        args::Topics::Explain { file, json } => explain(&rules, &file, json),
        args::Topics::Eval { file, predictions, json } => {
            eval(&rules, &file, predictions.as_deref(), json)
        }
    }
}

/// The rules of the configuration; without one, those that come with the program.
fn rules(context: &Context) -> Result<Rules, CliError> {
    match (&context.config, Config::load(context.config.as_deref())) {
        (_, Ok(config)) => Ok(load_rules(&config)?),
        (None, Err(crate::config::ConfigError::NoFile)) => Ok(Rules::built_in()),
        (_, Err(error)) => Err(error.into()),
    }
}

fn list(rules: &Rules, json: bool) -> Result<ExitCode, CliError> {
    let topics = rules.topics().iter();
    if json {
        let documents: Vec<_> = topics
            .map(|topic| {
                json!({
                    "id": topic.id,
                    "label": topic.label(Language::It),
                    "label_en": topic.label(Language::En),
                    "description": topic.description(Language::It),
                    "rules": topic.rules,
                })
            })
            .collect();
        print_json(&documents)?;
    } else {
        let rows: Vec<Vec<String>> = topics
            .map(|topic| {
                vec![
                    topic.id.to_string(),
                    topic.label(Language::It).to_owned(),
                    topic.rules.to_string(),
                ]
            })
            .collect();
        print(&table(&["topic", "label", "rules"], &rows))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(rules: &Rules, file: &Path, json: bool) -> Result<ExitCode, CliError> {
    let text = read_text(file)?;
    let (title, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let item = ItemText { title: title.trim(), text: rest, categories: &[], image_alt: &[] };
    let found = rules.classify(&item);
    if json {
        print_json(&found)?;
    } else {
        print(&describe(rules, &found))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read_text(file: &Path) -> Result<String, CliError> {
    let failed = |error: std::io::Error| CliError::unreadable(file, error);
    let mut octets = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().take(TEXT_OCTETS_MAX).read_to_end(&mut octets).map_err(failed)?;
    } else {
        let opened = std::fs::File::open(file).map_err(failed)?;
        opened.take(TEXT_OCTETS_MAX).read_to_end(&mut octets).map_err(failed)?;
    }
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

fn describe(rules: &Rules, found: &Classification) -> String {
    let mut text = String::new();
    for topic in &found.topics {
        let known = rules.topics().iter().find(|known| known.id == topic.id);
        let label = known.map_or("", |known| known.label(Language::It));
        text.push_str(&format!("topic {} ({label}), score {:.1}\n", topic.id, topic.score));
        for evidence in &topic.evidence {
            let field = format!("{:?}", evidence.field).to_lowercase();
            text.push_str(&format!(
                "  {:?} in the {field}, rule {}\n",
                evidence.text, evidence.rule
            ));
        }
    }
    for place in &found.places {
        text.push_str(&format!("place {}\n", place.id));
        for evidence in &place.evidence {
            text.push_str(&format!("  {:?}\n", evidence.text));
        }
    }
    if found.places.is_empty() {
        text.push_str("no place: it matters in the whole area\n");
    }
    for (name, codes) in
        [("CIG", &found.codes.cig), ("CUP", &found.codes.cup), ("measure", &found.codes.measure)]
    {
        for code in codes {
            text.push_str(&format!("{name} {code}\n"));
        }
    }
    if let Some(deadline) = found.deadline {
        text.push_str(&format!("deadline {deadline}\n"));
    }
    text
}

fn eval(
    rules: &Rules,
    file: &Path,
    predictions: Option<&Path>,
    json: bool,
) -> Result<ExitCode, CliError> {
    let lines = std::fs::read_to_string(file).map_err(|error| CliError::unreadable(file, error))?;
    let (evaluation, predicted) = evaluate(rules, &lines).map_err(|error| {
        let hint = "lines are {\"title\",\"text\",\"categories\",\"topics\",\"places\"}";
        CliError::failed(format!("{}: {error}", file.display()), hint)
    })?;
    if let Some(out) = predictions {
        let mut text = String::new();
        for prediction in &predicted {
            let line = serde_json::to_string(prediction)
                .map_err(|error| CliError::unwritable(out, error))?;
            text.push_str(&line);
            text.push('\n');
        }
        std::fs::write(out, text).map_err(|error| CliError::unwritable(out, error))?;
    }
    if json {
        print_json(&evaluation)?;
    } else {
        let rows: Vec<Vec<String>> = evaluation
            .topics
            .iter()
            .map(|(id, figures)| {
                vec![
                    id.to_string(),
                    format!("{:.2}", figures.figures.precision),
                    format!("{:.2}", figures.figures.recall),
                    format!("{:.2}", figures.figures.f1),
                ]
            })
            .collect();
        print(&table(&["topic", "precision", "recall", "F1"], &rows))?;
        print(&format!(
            "{} items, micro F1 {:.3}, macro F1 {:.3}\n",
            evaluation.items, evaluation.micro_f1, evaluation.macro_f1
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
