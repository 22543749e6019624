//! Words as people write them.

use banditore::model::Language::{self, En, It};
use banditore::rendering::plain::{TEXT_LINE_CHARS_MAX, clean, cut_at_word, fold, summary};
use banditore::rendering::{EntryView, Fragment, ReasonView};

use super::sample::day;
use super::templates;

fn text(fragment: &Fragment) -> String {
    let decoded =
        mail_parser::decoders::quoted_printable::quoted_printable_decode(&fragment.text).unwrap();
    String::from_utf8(decoded).unwrap().replace("\r\n", "\n").trim().to_owned()
}

#[test]
fn a_subject_says_what_is_in_the_mail() {
    let templates = templates();
    let subject =
        |others, language| templates.subject("Gara per il nuovo asilo nido", others, language);
    assert_eq!(subject(4, It), "Gara per il nuovo asilo nido, e altre 4 notizie");
    assert_eq!(subject(1, It), "Gara per il nuovo asilo nido, e un’altra notizia");
    assert_eq!(subject(0, It), "Gara per il nuovo asilo nido");
    assert_eq!(subject(4, En), "Gara per il nuovo asilo nido, and 4 other items");
    assert_eq!(subject(1, En), "Gara per il nuovo asilo nido, and one other item");
    let long = "Avviso pubblico per la presentazione di manifestazioni di interesse alla gestione \
                della struttura comunale";
    assert_eq!(
        templates.subject(long, 2, It),
        "Avviso pubblico per la presentazione di manifestazioni di interesse alla…, e altre 2 \
         notizie"
    );
}

#[test]
fn dates_are_written_out() {
    let templates = templates();
    let line = |deadline, language: Language| {
        let entry = EntryView { title: "T", deadline: Some(deadline), ..EntryView::default() };
        text(&templates.entry(&entry, language).unwrap())
    };
    assert_eq!(line(day(2022, 11, 17), It), "T\nScadenza: 17 novembre 2022");
    assert_eq!(line(day(2024, 2, 29), It), "T\nScadenza: 29 febbraio 2024");
    assert_eq!(line(day(2025, 5, 1), It), "T\nScadenza: 1º maggio 2025");
    assert_eq!(line(day(2025, 5, 1), En), "T\nDeadline: 1 May 2025");
}

#[test]
fn the_hour_of_a_deadline_codes_and_sums_are_shown() {
    let templates = templates();
    let codes = ["CIG 8726BB9C21".to_owned(), "PNRR M1C1".to_owned()];
    let entry = EntryView {
        title: "T",
        places: &["Quintano"],
        deadline: Some(day(2026, 12, 15)),
        deadline_time: chrono::NaiveTime::from_hms_opt(12, 0, 0),
        codes: &codes,
        euro_cents: &[1_000_000_000, 123_450, 99, 1],
        ..EntryView::default()
    };
    let line = |language| text(&templates.entry(&entry, language).unwrap());
    let italian = line(It);
    assert!(italian.contains("Scadenza: 15 dicembre 2026, ore 12:00"), "{italian}");
    let meta = "Quintano · CIG 8726BB9C21, PNRR M1C1 · Importi: €\u{a0}10.000.000; €\u{a0}1.234,50; €\u{a0}0,99";
    assert!(italian.replace('\n', " ").contains(meta), "{italian}");
    let english = line(En);
    assert!(english.contains("Deadline: 15 December 2026, 12:00"), "{english}");
    let english = english.replace('\n', " ");
    assert!(english.contains("Sums: €\u{a0}10,000,000; €\u{a0}1,234.50; €\u{a0}0.99"), "{english}");
}

#[test]
fn a_reason_names_what_is_followed() {
    let templates = templates();
    let reason = |view: &ReasonView<'_>, language| text(&templates.reason(view, language).unwrap());
    let topics = ReasonView { topics: &["Ambiente"], places: &["Quintano"], ..Default::default() };
    assert_eq!(reason(&topics, It), "Lo ricevi perché segui: Ambiente, Quintano");
    let words = ReasonView { words: &["asilo nido"], ..Default::default() };
    assert_eq!(reason(&words, It), "Lo ricevi perché segui: «asilo nido»");
    assert_eq!(reason(&words, En), "You get this because you follow: “asilo nido”");
    let all = ReasonView { everything: true, ..Default::default() };
    assert_eq!(reason(&all, It), "Lo ricevi perché segui: tutti i temi");
    assert_eq!(templates.reason(&ReasonView::default(), It).unwrap(), Fragment::default());
}

#[test]
fn a_summary_ends_with_a_sentence() {
    let abbreviations = ["art".to_owned(), "prot".to_owned(), "lgs".to_owned()];
    let cut = |text: &str| summary(text, &abbreviations);
    assert_eq!(cut("Prima. Seconda! Terza? Quarta."), "Prima. Seconda! Terza?");
    assert_eq!(cut("Una sola, senza punto"), "Una sola, senza punto");
    assert_eq!(
        cut("Ai sensi dell’art. 7 (prot. N12) e del D.Lgs. 36 si decide. Poi. E poi. Mai."),
        "Ai sensi dell’art. 7 (prot. N12) e del D.Lgs. 36 si decide. Poi. E poi."
    );
    assert_eq!(
        cut("La S.p.A. Acque apre alle 9.30 in via G. Verdi. Fine. Fine. No."),
        "La S.p.A. Acque apre alle 9.30 in via G. Verdi. Fine. Fine."
    );
    assert_eq!(
        cut("Dice: «Venite tutti.» Poi tace. Ride. Va."),
        "Dice: «Venite tutti.» Poi tace. Ride."
    );
    assert_eq!(
        cut("Costa 1.500 euro… Forse. Nel 2026. Basta."),
        "Costa 1.500 euro… Forse. Nel 2026."
    );
    let long = format!("Breve. E {} fine.", "parola ".repeat(60).trim());
    assert_eq!(cut(&long), "Breve.");
    let endless = cut(&"parola ".repeat(100));
    assert!(endless.ends_with("parola…") && endless.chars().count() <= 360, "{endless}");
}

#[test]
fn a_text_that_begins_with_its_title_does_not_say_it_twice() {
    let templates = templates();
    let shown = |title, summary| {
        let entry = EntryView { title, summary, ..EntryView::default() };
        text(&templates.entry(&entry, It).unwrap())
    };
    assert_eq!(shown("Asilo", "Asilo Asilo – Apre lunedì."), "Asilo\n\nApre lunedì.");
    assert_eq!(shown("Crema", "Cremasco unito."), "Crema\n\nCremasco unito.");
    assert_eq!(shown("Asilo", "Asilo"), "Asilo");
    assert_eq!(shown("Asilo", " - "), "Asilo");
}

#[test]
fn an_item_without_a_title_is_named_by_its_text() {
    let templates = templates();
    let shown = |summary| {
        let entry = EntryView { summary, ..EntryView::default() };
        text(&templates.entry(&entry, It).unwrap())
    };
    assert_eq!(shown("Apre lunedì. Alle otto."), "Apre lunedì. Alle otto.");
    let long = "La biblioteca comunale apre da lunedì a venerdì dalle otto alle diciotto e il sabato \
                solo di mattina.";
    let [title, summary] =
        ["La biblioteca comunale apre da lunedì a venerdì dalle otto alle diciotto e il…", long];
    let folded = shown(long).replace('\n', " ");
    assert_eq!(folded, format!("{title}  {summary}"));
    assert_eq!(shown(""), "Notizia senza titolo");
}

#[test]
fn text_is_cut_at_a_word() {
    assert_eq!(cut_at_word("una due tre", 11), "una due tre");
    assert_eq!(cut_at_word("una due tre", 10), "una due…");
    assert_eq!(cut_at_word("una due, tre", 9), "una due…");
    assert_eq!(cut_at_word("unaparolasola", 5), "unap…");
    assert_eq!(clean("  due\t\r\n parole \u{2028}", 20), "due parole");
}

#[test]
fn text_lines_are_folded_and_addresses_stay_whole() {
    let address = format!("https://www.example.org/{}", "a-b/".repeat(40));
    let folded = fold(&format!("{}\n{address}\nfine", "parola ".repeat(30).trim()));
    assert!(folded.lines().filter(|line| !line.starts_with("http")).count() > 3);
    assert!(folded.lines().any(|line| line == address));
    let fits = |line: &str| line.chars().count() <= TEXT_LINE_CHARS_MAX || line == address;
    assert!(folded.lines().all(fits), "{folded}");
}
