//! The mailbox as web pages. A mail is a stranger's: everything of it is escaped, its HTML stands
//! in a sandboxed frame without scripts.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono_tz::Tz;
use handlebars::Handlebars;
use mail_parser::{Address, MessageParser};
use serde::{Deserialize, Serialize};

use super::{Mailbox, ReceivedMail};
use crate::web::page::{Policy, answer, html, templates};

/// How many mails the list shows.
const LISTED_MAX: usize = 100;
/// How many characters of a mail's text the list shows.
const SNIPPET_CHARS_MAX: usize = 140;
/// How many octets of a source a page shows; the rest is in the file.
const SHOWN_SOURCE_OCTETS_MAX: usize = 256 * 1024;
/// How many addresses are shown of a header field.
const SHOWN_ADDRESSES_MAX: usize = 5;
/// How many characters of a header field are shown.
const SHOWN_FIELD_CHARS_MAX: usize = 300;
/// How often the list looks for new mail, in seconds.
const REFRESH_SECONDS: u32 = 5;

#[derive(Clone)]
struct Pages {
    mailbox: Arc<Mailbox>,
    zone: Tz,
    /// What stands before the paths of this router, for links.
    base: Arc<str>,
    templates: Arc<Handlebars<'static>>,
}

/// The pages: the list at `/`, a mail at `/mail/N` (`?view=html|text|source`), its octets at
/// `/mail/N/source` and `/mail/N.eml`. `base` is the path this router is nested at, or empty.
pub fn router(mailbox: Arc<Mailbox>, zone: Tz, base: &str) -> Router {
    let templates = Arc::new(templates([
        ("list", include_str!("../../../templates/demo/mailbox.html")),
        ("mail", include_str!("../../../templates/demo/mail.html")),
        ("missing", include_str!("../../../templates/demo/mail_missing.html")),
    ]));
    Router::new()
        .route("/", get(list))
        .route("/mailbox.css", get(style))
        .route("/mail/{number}", get(mail))
        .route("/mail/{number}/source", get(source))
        .with_state(Pages { mailbox, zone, base: base.trim_end_matches('/').into(), templates })
}

async fn style() -> Response {
    let css = include_str!("../../../templates/demo/mailbox.css");
    answer("text/css; charset=utf-8", Policy::Nothing, css)
}

#[derive(Serialize)]
struct ListPage<'a> {
    base: &'a str,
    refresh_seconds: Option<u32>,
    kept: usize,
    left_out: usize,
    mails: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    number: u64,
    from: String,
    to: String,
    subject: String,
    snippet: String,
    time: String,
    datetime: String,
}

#[derive(Deserialize)]
struct ListQuery {
    refresh: Option<String>,
}

async fn list(State(pages): State<Pages>, Query(query): Query<ListQuery>) -> Response {
    let mails = pages.mailbox.newest(LISTED_MAX);
    let kept = pages.mailbox.len();
    let still = query.refresh.as_deref() == Some("off");
    let values = ListPage {
        base: &pages.base,
        refresh_seconds: (!still).then_some(REFRESH_SECONDS),
        kept,
        left_out: kept.saturating_sub(mails.len()),
        mails: mails.iter().map(|mail| pages.row(mail)).collect(),
    };
    html(&pages.templates, "list", &values, Policy::Own)
}

impl Pages {
    fn row(&self, mail: &ReceivedMail) -> Row {
        let shown = Shown::read(mail);
        let at = mail.at.in_zone(self.zone);
        Row {
            number: mail.number,
            from: shown.from,
            to: shown.to,
            subject: shown.subject,
            snippet: one_line(&shown.text.unwrap_or_default(), SNIPPET_CHARS_MAX),
            time: at.format("%d/%m/%Y %H:%M:%S").to_string(),
            datetime: mail.at.rfc3339(self.zone),
        }
    }

    fn missing(&self) -> Response {
        #[derive(Serialize)]
        struct Missing<'a> {
            base: &'a str,
        }
        let page = html(&self.templates, "missing", &Missing { base: &self.base }, Policy::Own);
        (StatusCode::NOT_FOUND, page).into_response()
    }

    fn find(&self, number: &str) -> Option<Arc<ReceivedMail>> {
        number.parse().ok().and_then(|number| self.mailbox.get(number))
    }
}

/// What a page shows of a mail, decoded.
struct Shown {
    from: String,
    to: String,
    subject: String,
    html: Option<String>,
    text: Option<String>,
}

impl Shown {
    fn read(mail: &ReceivedMail) -> Self {
        let parsed = MessageParser::default().parse(&mail.source);
        let parsed = parsed.as_ref();
        // The parser makes an HTML part of a text one and the other way round; shown is what is
        // there.
        let first = |ids: &[u32], html: bool| {
            let part = ids.first().and_then(|id| parsed?.parts.get(usize::try_from(*id).ok()?))?;
            (part.is_text() && part.is_text_html() == html)
                .then(|| part.text_contents().map(str::to_owned))?
        };
        let from = parsed.and_then(|message| addresses(message.from()));
        Self {
            from: from.unwrap_or_else(|| format!("<{}>", mail.return_path)),
            to: one_line(&mail.recipients.join(", "), SHOWN_FIELD_CHARS_MAX),
            subject: one_line(
                parsed.and_then(|message| message.subject()).unwrap_or_default(),
                SHOWN_FIELD_CHARS_MAX,
            ),
            html: parsed.and_then(|message| first(&message.html_body, true)),
            text: parsed.and_then(|message| first(&message.text_body, false)),
        }
    }
}

/// `Name <address>` of each address of a field.
fn addresses(field: Option<&Address<'_>>) -> Option<String> {
    let shown: Vec<String> = field?
        .iter()
        .take(SHOWN_ADDRESSES_MAX)
        .map(|one| match (one.name(), one.address()) {
            (Some(name), Some(address)) => format!("{name} <{address}>"),
            (name, address) => name.or(address).unwrap_or_default().to_owned(),
        })
        .collect();
    (!shown.is_empty()).then(|| one_line(&shown.join(", "), SHOWN_FIELD_CHARS_MAX))
}

/// White space folded, cut to `chars_max` characters.
fn one_line(text: &str, chars_max: usize) -> String {
    let mut line = String::new();
    let mut chars = 0;
    for word in text.split_whitespace() {
        if chars > 0 {
            line.push(' ');
            chars += 1;
        }
        for character in word.chars() {
            if chars >= chars_max {
                line.push('…');
                return line;
            }
            line.push(character);
            chars += 1;
        }
    }
    line
}

#[derive(Deserialize)]
struct MailQuery {
    view: Option<String>,
}

/// Each of the three is there only on its own page.
#[derive(Default, Serialize)]
struct MailPage<'a> {
    base: &'a str,
    number: u64,
    newer: Option<u64>,
    older: Option<u64>,
    from: &'a str,
    to: &'a str,
    return_path: &'a str,
    subject: &'a str,
    time: String,
    datetime: String,
    octets: usize,
    has_html: bool,
    has_text: bool,
    html: Option<String>,
    text: Option<&'a str>,
    source: Option<String>,
    source_cut: bool,
}

async fn mail(
    State(pages): State<Pages>,
    Path(number): Path<String>,
    Query(query): Query<MailQuery>,
) -> Response {
    if let Some(number) = number.strip_suffix(".eml") {
        return file(&pages, number);
    }
    let Some(mail) = pages.find(&number) else { return pages.missing() };
    let shown = Shown::read(&mail);
    let at = mail.at.in_zone(pages.zone);
    let neighbour = |number: u64| pages.mailbox.get(number).map(|mail| mail.number);
    let mut values = MailPage {
        base: &pages.base,
        number: mail.number,
        newer: neighbour(mail.number + 1),
        older: neighbour(mail.number - 1),
        from: &shown.from,
        to: &shown.to,
        return_path: &mail.return_path,
        subject: &shown.subject,
        time: at.format("%d/%m/%Y %H:%M:%S").to_string(),
        datetime: mail.at.rfc3339(pages.zone),
        octets: mail.source.len(),
        has_html: shown.html.is_some(),
        has_text: shown.text.is_some(),
        ..MailPage::default()
    };
    match (query.view.as_deref(), &shown.html, &shown.text) {
        (Some("html") | None, Some(html), _) => values.html = Some(framed(html)),
        (Some("text") | None, _, Some(text)) => values.text = Some(text),
        _ => {
            let end = mail.source.len().min(SHOWN_SOURCE_OCTETS_MAX);
            values.source = Some(String::from_utf8_lossy(&mail.source[..end]).into_owned());
            values.source_cut = end < mail.source.len();
        }
    }
    html(&pages.templates, "mail", &values, Policy::Mail)
}

/// Makes a mail's links open outside its frame, which could not show them.
fn framed(html: &str) -> String {
    const BASE: &str = "<base target=\"_blank\">";
    let folded = html.to_ascii_lowercase();
    let head = folded.find("<head").and_then(|head| Some(head + folded[head..].find('>')? + 1));
    match head {
        Some(at) => format!("{}{BASE}{}", &html[..at], &html[at..]),
        None => format!("{BASE}{html}"),
    }
}

async fn source(State(pages): State<Pages>, Path(number): Path<String>) -> Response {
    match pages.find(&number) {
        Some(mail) => answer("text/plain; charset=utf-8", Policy::Nothing, mail.source.clone()),
        None => pages.missing(),
    }
}

fn file(pages: &Pages, number: &str) -> Response {
    let Some(mail) = pages.find(number) else { return pages.missing() };
    let name = format!("attachment; filename=\"mail-{}.eml\"", mail.number);
    let file = answer("message/rfc822", Policy::Nothing, mail.source.clone());
    ([(header::CONTENT_DISPOSITION, name)], file).into_response()
}
