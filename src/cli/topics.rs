//! `topics …`

use std::path::Path;
use std::process::ExitCode;

use chrono_tz::Tz;
use serde_json::json;

use super::output::{print, print_json, table};
use super::topics_args::Topics;
use super::{
    CliError, Context, corrections, rules_and_zone, topics_check, topics_diff, topics_explain,
};
use crate::model::Language;
use crate::topics::{Rules, evaluate};

/// Runs one of the commands.
pub async fn run(context: &Context, command: Topics) -> Result<ExitCode, CliError> {
    match command {
        Topics::List(args) => list(&rules(context)?.0, args.json),
        Topics::Explain { file, json } => {
            let (rules, zone) = rules(context)?;
            topics_explain::run(&rules, &file, json, context.clock.now(), zone)
        }
        Topics::Eval { file, predictions, json } => {
            eval(&rules(context)?.0, &file, predictions.as_deref(), json)
        }
        Topics::Diff(args) => topics_diff::run(context, &args).await,
        Topics::Check { file, days, json } => {
            topics_check::run(context, file.as_deref(), days, json).await
        }
        Topics::Correct(args) => corrections::correct(context, &args).await,
        Topics::Corrections { json, labelled } => corrections::list(context, json, labelled).await,
        Topics::Suggest { topic, days, json } => {
            corrections::suggest(context, &topic, days, json).await
        }
    }
}

fn rules(context: &Context) -> Result<(Rules, Tz), CliError> {
    rules_and_zone(context.config_if_any()?.as_ref())
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
