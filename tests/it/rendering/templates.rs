//! Templates that are broken say where.

use banditore::rendering::{Sources, TemplateError, Templates};

fn broken(file: &str, from: &str, to: &str) -> TemplateError {
    let mut sources = Sources::embedded();
    let text = sources.text(file).to_owned();
    assert!(text.contains(from), "{file} has no {from:?}");
    sources.replace(file, text.replacen(from, to, 1)).unwrap();
    Templates::compile(sources).expect_err("a broken template")
}

fn line_of(file: &str, what: &str) -> usize {
    let sources = Sources::embedded();
    let line = sources.text(file).lines().position(|line| line.contains(what));
    line.unwrap_or_else(|| panic!("{file} has no {what:?}")) + 1
}

#[test]
fn an_unknown_value_is_an_error_at_its_line() {
    let error = broken("digest.mjml", "{{summary}}", "{{sumary}}");
    assert_eq!(error.line, line_of("digest.mjml", "{{summary}}"));
    assert!(error.to_string().starts_with("digest.mjml:"), "{error}");
    assert!(error.problem.contains("sumary"), "{error}");
    let error = broken("digest.txt.hbs", "{{deadline}}", "{{deadlin}}");
    assert_eq!(error.line, line_of("digest.txt.hbs", "{{deadline}}"));
    assert_eq!(error.file, "digest.txt.hbs");
}

#[test]
fn an_unclosed_condition_is_an_error_at_its_line() {
    let error = broken("digest.mjml", "{{#if deadline}}", "{{#if deadline}");
    assert_eq!(error.line, line_of("digest.mjml", "{{#if deadline}}"), "{error}");
    let error = broken("digest.txt.hbs", "{{#if deadline}}", "{{#if deadline}");
    assert_eq!(error.line, line_of("digest.txt.hbs", "{{#if deadline}}"), "{error}");
}

#[test]
fn a_condition_across_two_blocks_is_an_error_in_its_block() {
    let error = broken("digest.mjml", "{{reason}}", "{{#if reason}}{{reason}}");
    assert_eq!(error.file, "digest.mjml");
    let mut sources = Sources::embedded();
    let text = sources.text("digest.mjml").replacen("{{title}}", "{{#if title}}{{title}}", 1);
    sources.replace("digest.mjml", text.replacen("{{reason}}", "{{/if}}{{reason}}", 1)).unwrap();
    let error = Templates::compile(sources).expect_err("cut in two");
    assert_eq!(error.line, line_of("digest.mjml", "block heading"), "{error}");
}

#[test]
fn broken_mjml_is_an_error_at_its_line() {
    let error = broken("digest.mjml", "</mj-column>", "</mj-colunm>");
    assert_eq!(error.line, line_of("digest.mjml", "</mj-column>"), "{error}");
    let error = broken("digest.mjml", "</h3>", "");
    assert!(error.problem.contains("<h3>"), "{error}");
    let error = broken("digest.mjml", "</mjml>", "");
    assert_eq!(error.line, 1, "{error}");
    let error = broken("digest.mjml", "</mjml>", "</mjml></mjml>");
    assert_eq!(error.line, line_of("digest.mjml", "</mjml>"), "{error}");
    let error = broken("digest.mjml", "<h2 style=\"", "<h2 style=");
    assert!(error.line >= line_of("digest.mjml", "<h2 style"), "{error}");
    let marker = "<mj-raw><!-- block heading -->";
    let error = broken("digest.mjml", marker, &format!("<mj-unknown />{marker}"));
    assert_eq!(error.line, line_of("digest.mjml", marker), "{error}");
}

#[test]
fn a_lost_marker_is_an_error_that_names_it() {
    let error = broken("digest.mjml", "<!-- block reason -->", "");
    assert!(error.problem.contains("block reason"), "{error}");
    assert_eq!(error.line, line_of("digest.mjml", "block entry"), "{error}");
    let error = broken("digest.txt.hbs", "{{!-- block closing --}}\n", "");
    assert!(error.problem.contains("block closing"), "{error}");
    let twice = "{{!-- block closing --}}\n";
    let error = broken("digest.txt.hbs", twice, &twice.repeat(2));
    assert_eq!(error.line, line_of("digest.txt.hbs", "block closing") + 1, "{error}");
}

#[test]
fn a_broken_catalogue_is_an_error_at_its_line() {
    let error = broken("it.toml", "\"gennaio\", ", "");
    assert_eq!(error.line, line_of("it.toml", "months"), "{error}");
    let error = broken("it.toml", "correction =", "corection =");
    assert_eq!(error.line, line_of("it.toml", "correction ="), "{error}");
    let error = broken("en.toml", "{count} items", "items");
    assert_eq!(error.line, line_of("en.toml", "{count} items"), "{error}");
    assert!(error.problem.contains("{count}"), "{error}");
    let error = broken("it.toml", "source =", "source ");
    assert_eq!((error.file.as_str(), error.line), ("it.toml", line_of("it.toml", "source =")));
}

#[test]
fn only_files_that_exist_can_be_replaced() {
    let error = Sources::embedded().replace("digest.html", String::new()).unwrap_err();
    assert!(error.to_string().contains("digest.html"));
    assert_eq!(Sources::embedded().names().count(), 8);
}
