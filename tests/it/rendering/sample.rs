//! A digest as a residents' list of the Cremasco would send it, in both languages.

use banditore::model::Language;
use banditore::rendering::mime::{Boundary, Envelope, HeaderView, assemble, body, headers};
use banditore::rendering::{
    ClosingView, EntryView, Fragment, FrameView, OpeningView, ReasonView, Templates,
};
use chrono::{DateTime, FixedOffset, NaiveDate};
use mail_parser::{Message, MessageParser};

pub const SITE: &str = "Comuni del Cremasco";
pub const LIST: &str = "Notizie per i residenti";
pub const ADDRESS: &str = "residente@example.org";
pub const TOKEN: &str = "mfrggzdfmztwq2lk";
pub const UNSUBSCRIBE: &str = "https://notizie.example.org/u";
pub const PUBLIC: &str = "https://notizie.example.org/";
pub const CONTACT: &str = "urp@example.org";

pub fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

pub fn sent() -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339("2022-11-17T07:00:00+01:00").unwrap()
}

/// A topic's label, its entry, and why the entry is there.
pub type Told<'a> = (&'a str, EntryView<'a>, ReasonView<'a>);

pub fn told() -> Vec<Told<'static>> {
    let published = Some(day(2022, 11, 16));
    vec![
        (
            "Gare e appalti",
            EntryView {
                title: "Gara per il nuovo asilo nido",
                link: Some("https://www.example.org/notizie/gara-asilo-nido?anno=2022&n=7"),
                source_name: "Comune di Monte Cremasco",
                places: &["Monte Cremasco"],
                published,
                deadline: Some(day(2022, 12, 9)),
                summary: "È aperta la gara per i lavori di costruzione dell’asilo nido comunale, \
                          finanziati dal PNRR. Le offerte si presentano sulla piattaforma \
                          telematica entro le ore 12. Il sopralluogo è obbligatorio e si prenota \
                          all’ufficio tecnico. Gli atti di gara sono allegati.",
                ..EntryView::default()
            },
            ReasonView { topics: &["Gare e appalti", "Scuola"], ..ReasonView::default() },
        ),
        (
            "Ambiente",
            EntryView {
                title: "Raccolta della carta: da dicembre cambia il calendario",
                link: Some("https://www.example.org/notizie/raccolta-carta"),
                source_name: "Comune di Quintano",
                places: &["Quintano", "Pieranica"],
                published,
                summary: "La carta si raccoglie il martedì anziché il giovedì. Il nuovo \
                          calendario arriva in ogni casa insieme ai sacchi e si può ritirare in \
                          municipio negli orari di apertura.",
                correction: true,
                ..EntryView::default()
            },
            ReasonView { topics: &["Ambiente"], places: &["Quintano"], ..ReasonView::default() },
        ),
        (
            "Ambiente",
            EntryView {
                title: "Comunità energetica, incontro pubblico per chi vuole aderire",
                link: Some("https://www.example.org/notizie/comunita-energetica"),
                source_name: "Consorzio dei Comuni",
                published: Some(day(2022, 11, 15)),
                summary: "I tecnici spiegano come funziona la comunità energetica e che cosa \
                          serve per aderire. L’ingresso è libero.",
                ..EntryView::default()
            },
            ReasonView { topics: &["Ambiente"], words: &["energia"], ..ReasonView::default() },
        ),
        (
            "Cultura",
            EntryView {
                title: "La biblioteca apre anche il sabato mattina",
                source_name: "Comune di Crema",
                places: &["Crema"],
                published,
                summary: "Dal 26 novembre la sala studio resta aperta il sabato dalle 9 alle 13.",
                ..EntryView::default()
            },
            ReasonView { everything: true, places: &["Crema"], ..ReasonView::default() },
        ),
    ]
}

/// The fragments of a digest of these entries, in order.
pub fn fragments(templates: &Templates, told: &[Told<'_>], language: Language) -> Vec<Fragment> {
    let titles: Vec<&str> = told.iter().map(|(_, entry, _)| entry.title).collect();
    let opening = OpeningView {
        site_name: SITE,
        list_name: LIST,
        cadence: "daily",
        date: day(2022, 11, 17),
        count: told.len(),
    };
    let mut fragments = vec![
        templates.frame(&FrameView { list_name: LIST }, language).unwrap(),
        templates.preheader(titles.get(1..).unwrap_or_default(), language).unwrap(),
        templates.opening(&opening, language).unwrap(),
    ];
    let mut topic = "";
    for (label, entry, reason) in told {
        if *label != topic {
            fragments.push(templates.heading(label, language).unwrap());
            topic = label;
        }
        let italian = EntryView { content_language: Some(Language::It), ..*entry };
        fragments.push(templates.entry(&italian, language).unwrap());
        fragments.push(templates.reason(reason, language).unwrap());
    }
    let closing = ClosingView {
        site_name: SITE,
        list_name: LIST,
        contact: Some(CONTACT),
        public_url: PUBLIC,
        unsubscribe_base: UNSUBSCRIBE,
    };
    fragments.push(templates.closing(&closing, language).unwrap());
    fragments
}

/// What the header of the sample says, with this subject.
pub fn header<'a>(subject: &'a str, boundary: &'a Boundary, language: Language) -> HeaderView<'a> {
    HeaderView {
        from_name: "Comuni del Cremasco – Novità",
        from_address: "notizie@example.org",
        subject,
        language,
        list_name: LIST,
        list_id: "residenti.notizie.example.org",
        unsubscribe_base: UNSUBSCRIBE,
        help: Some("https://notizie.example.org/aiuto"),
        archive: Some("https://notizie.example.org/edizioni"),
        feedback_id: Some("12:daily:residenti:notizieexample"),
        boundary,
    }
}

pub fn envelope() -> Envelope<'static> {
    let message_id = "1.1@notizie.example.org";
    Envelope { address: ADDRESS, token: TOKEN, message_id, date: sent() }
}

/// A whole message of these entries.
pub fn message(
    templates: &Templates,
    told: &[Told<'_>],
    language: Language,
    envelope: &Envelope<'_>,
) -> Vec<u8> {
    let title = told.first().map_or("", |(_, entry, _)| entry.title);
    let subject = templates.subject(title, told.len().saturating_sub(1), language);
    let boundary = Boundary::of(&["edition", "variant"]);
    let headers = headers(&header(&subject, &boundary, language)).unwrap();
    let fragments = fragments(templates, told, language);
    let body = body(&boundary, &fragments.iter().collect::<Vec<_>>());
    assemble(&headers, &body, envelope)
}

pub fn parsed(message: &[u8]) -> Message<'_> {
    MessageParser::default().parse(message).unwrap()
}

pub fn text_of(message: &Message<'_>) -> String {
    message.body_text(0).unwrap().replace("\r\n", "\n")
}

pub fn html_of(message: &Message<'_>) -> String {
    message.body_html(0).unwrap().into_owned()
}

/// No bare CR or LF, no line above the limits, no control octet.
pub fn assert_lines(message: &[u8]) {
    let head = message.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    assert!(message.ends_with(b"\r\n"));
    let mut at = 0;
    for line in message.split(|octet| *octet == b'\n') {
        if at < message.len() {
            let shown = String::from_utf8_lossy(line);
            let line = line.strip_suffix(b"\r").unwrap_or_else(|| panic!("bare LF: {shown}"));
            assert!(!line.iter().any(|octet| *octet < b' ' && *octet != b'\t'), "{shown:?}");
            let limit = if at < head { 998 } else { 76 };
            assert!(line.len() <= limit, "{} octets: {shown}", line.len());
            at += line.len() + 2;
        }
    }
}
