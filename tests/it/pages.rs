//! News pages: every item with its own date, whatever the page looks like.

use std::path::{Path, PathBuf};

use banditore::ingest::{
    HtmlTooMuch, PageSelectors, ReadError, Reading, ReadingKind, SourceKind, read,
};
use banditore::model::Timestamp;
use chrono::{DateTime, Utc};
use chrono_tz::Europe::Rome;
use proptest::prelude::*;
use url::Url;

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pages");
    std::fs::read(folder.join(name)).unwrap()
}

/// Real pages, where they are at hand.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    path.exists().then_some(path)
}

fn now() -> Timestamp {
    "2022-11-25T08:00:00Z".parse::<DateTime<Utc>>().unwrap().into()
}

fn read_page(body: &[u8], selectors: &PageSelectors) -> Result<Reading, ReadError> {
    let base: Url = "https://www.comune.example/news/elenco".parse().unwrap();
    read(body, Some("text/html"), &base, SourceKind::Auto, selectors, Rome, now())
}

/// What a person sees of the items: date, title, address, text with `/` for line breaks.
fn seen(reading: &Reading) -> String {
    let lines = reading.items.iter().map(|item| {
        let date = item.published.map_or("-".to_owned(), |time| {
            time.with_timezone(&Rome).format("%Y-%m-%d %H:%M").to_string()
        });
        let link = item.link.as_deref().unwrap_or("-").replace("https://www.comune.example", "");
        let text = item.summary.replace('\n', " / ");
        format!("{}\n", format!("{date} | {} | {link} | {text}", item.title).trim_end())
    });
    lines.collect()
}

fn found_in(name: &str) -> String {
    seen(&read_page(&fixture(name), &PageSelectors::default()).unwrap())
}

#[test]
fn the_page_of_the_consortium_gives_six_items_with_their_own_dates() {
    let Some(path) = shared("consorzio/news.html") else {
        eprintln!("the consortium's page is not at hand; the next test has one of its shape");
        return;
    };
    for base in
        [Url::from_file_path(&path).unwrap(), "https://www.consorzio.example/news".parse().unwrap()]
    {
        let body = std::fs::read(&path).unwrap();
        let selectors = PageSelectors::default();
        let reading = read(&body, None, &base, SourceKind::Auto, &selectors, Rome, now()).unwrap();
        assert_eq!(reading.kind, ReadingKind::Page);
        assert_eq!(reading.warnings, Vec::<String>::new());
        let days: Vec<String> = reading
            .items
            .iter()
            .map(|item| item.published.unwrap().with_timezone(&Rome).format("%d/%m/%Y").to_string())
            .collect();
        let expected =
            ["22/11/2022", "18/11/2022", "17/11/2022", "15/11/2022", "09/11/2022", "07/11/2022"];
        assert_eq!(days, expected);
        let alts: Vec<Vec<String>> = reading.items.iter().map(|i| i.image_alt.clone()).collect();
        assert_eq!(alts.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 1, 0, 0, 0]);
        assert_eq!(alts[1], ["pnrr"]);
        assert!(reading.items[0].title.ends_with("REI - L'incontro con i Sindaci"));
        for item in &reading.items {
            let link: Url = item.link.as_deref().unwrap().parse().unwrap();
            assert_eq!(link.scheme(), base.scheme());
            assert!(link.path().starts_with("/news/"), "{link}");
            assert!(item.summary.lines().count() >= 2, "{}", item.summary);
            assert!(!item.summary.contains("  ") && !item.summary.contains("Novembre 2022"));
            assert!(item.content.starts_with("<div>") && item.content.contains("<p>"));
        }
    }
}

#[test]
fn a_date_after_the_text_is_the_items_own_and_dates_in_the_text_are_not() {
    let reading = read_page(&fixture("consortium.html"), &PageSelectors::default()).unwrap();
    assert_eq!(reading.title.as_deref(), Some("Notizie - Unione dei Comuni"));
    insta::assert_snapshot!(seen(&reading), @r"
    2022-11-22 00:00 | Incontro sulla mobilità - L'area incontra i Comuni | /notizie/incontro-sulla-mobilita | Lunedì 21 Novembre il comitato ristretto si è riunito nella sede dell'Unione. / Il prossimo incontro è fissato per il 5 dicembre 2022, alle ore 18.
    2022-11-18 00:00 | Fondi per il digitale: il bando è aperto | /notizie/fondi-per-il-digitale | Le domande si presentano entro il 31/12/2022.
    2022-11-17 00:00 | Nuovo asilo nido, al via la gara | /notizie/nuovo-asilo | La gara a procedura negoziata riguarda i lavori del nuovo asilo nido. / Per informazioni: ufficio gare, modulo.
    2022-11-07 00:00 | Raccolta dei rifiuti, nuovo calendario | /notizie/raccolta-rifiuti | Dal nuovo anno cambia il calendario della raccolta.
    ");
    assert_eq!(reading.items[1].image_alt, ["bando"]);
    assert_eq!(reading.items[2].image_alt, ["Il cantiere dell'asilo"]);
    insta::assert_snapshot!(reading.items[2].content, @r#"<div> <p>La gara a procedura negoziata riguarda i lavori del nuovo asilo nido.</p> <p>Per informazioni: <a href="https://www.comune.example/uffici/gare">ufficio gare</a>, <a>modulo</a>.</p> </div>"#);
}

#[test]
fn a_date_before_the_title_is_found_with_its_time_and_the_pages_own_base() {
    insta::assert_snapshot!(found_in("date-before-title.html"), @r"
    2026-03-05 09:30 | Chiusura degli uffici | /it/avvisi/chiusura-uffici | Gli uffici restano chiusi il 9/3/2026 per manutenzione.
    2026-02-27 12:00 | Divieto di sosta in piazza | /it/avvisi/divieto-di-sosta | Divieto di sosta dalle 8 alle 14.
    2026-02-20 08:00 | Iscrizioni ai servizi scolastici | /it/avvisi/iscrizioni | Aperte le iscrizioni a mensa e trasporto.
    ");
}

#[test]
fn headings_and_paragraphs_without_blocks_are_cut_at_the_headings() {
    insta::assert_snapshot!(found_in("flat.html"), @r"
    2026-06-22 00:00 | Biblioteca, orario estivo | - | Dal 1 luglio la biblioteca apre alle 9. / Chiusa il sabato.
    2026-06-15 00:00 | Lavori in via Roma | - | Senso unico alternato per due settimane.
    2026-06-08 00:00 | Consiglio comunale | - | La seduta si tiene nella sala consiliare.
    ");
}

#[test]
fn a_table_of_notices_gives_its_rows_with_the_day_of_publication() {
    insta::assert_snapshot!(found_in("table.html"), @r"
    2022-11-22 00:00 | Avviso di selezione per istruttore tecnico | /news/doc/12.pdf | 12 / 22.12.22
    2022-11-14 00:00 | Gara per la manutenzione delle strade comunali | /news/doc/11.pdf | 11 / 05.12.22
    2022-11-02 00:00 | Bando per contributi alle associazioni | /news/doc/10.pdf | 10 / 30.11.22
    ");
}

#[test]
fn a_definition_list_gives_its_terms_as_dates() {
    insta::assert_snapshot!(found_in("definitions.html"), @r"
    2022-11-22 00:00 | Allerta gialla per vento forte | /news/elenco?id=3 | Si raccomanda prudenza.
    2022-11-18 00:00 | Sospensione dell'acqua in centro | /news/elenco?id=2 | Dalle 8 alle 12 per un guasto.
    2022-11-03 00:00 | Pulizia delle caditoie | /news/elenco?id=1 |
    ");
}

#[test]
fn lines_with_a_date_and_a_link_are_items() {
    insta::assert_snapshot!(found_in("lines.html"), @r"
    2022-11-22 00:00 | Mercato spostato in piazza Grande | /n/3 |
    2022-11-15 00:00 | Nuovi orari dello sportello unico | /n/2 |
    2022-11-08 00:00 | Riscaldamento: accensione anticipata | /n/1 |
    ");
}

#[test]
fn cards_of_several_rows_are_one_list_with_categories_and_without_repetitions() {
    let reading = read_page(&fixture("cards.html"), &PageSelectors::default()).unwrap();
    insta::assert_snapshot!(seen(&reading), @r"
    2023-02-28 00:00 | Riapre il parco | /news/novita/parco.html | Il parco riapre con nuovi giochi.
    2023-01-10 00:00 | Piscina chiusa per lavori | /news/novita/piscina.html | Chiusa fino al 30/06/2023.
    2023-03-03 00:00 | Domande per il nido | /news/novita/nido.html | Le domande si presentano allo sportello.
    2023-02-27 00:00 | Asfaltature in viale Europa | /news/novita/strade.html | Da lunedì 27.02.2023 a venerdì 17.03.2023.
    ");
    assert_eq!(reading.items[0].categories, ["NOTIZIE"]);
    assert_eq!(reading.items[0].image_alt, ["Il parco"]);
}

#[test]
fn the_usual_content_systems_are_read_as_they_are() {
    let names =
        ["bare", "date-box", "joomla", "months", "plone", "register", "whole-links", "wordpress"];
    let all = names.map(|name| format!("{name}\n{}", found_in(&format!("{name}.html"))));
    insta::assert_snapshot!(all.concat());
}

#[test]
fn the_news_of_the_model_for_municipal_sites_are_found_as_they_are() {
    let Some(path) = shared("pages/novita.html") else { return };
    let selectors = PageSelectors::default();
    let reading = read_page(&std::fs::read(path).unwrap(), &selectors).unwrap();
    assert_eq!(reading.items.len(), 9);
    for item in &reading.items {
        assert!(item.published.is_some() && item.link.is_some() && !item.summary.is_empty());
        assert_eq!(item.categories.len(), 1);
    }
}

#[test]
fn a_page_without_a_list_is_a_clear_error_that_says_what_to_do() {
    let error = read_page(&fixture("detail.html"), &PageSelectors::default()).unwrap_err();
    assert_eq!(error.to_string(), "no list of news found on the page");
    assert!(error.hint().starts_with("name the selectors under [source.page]"));
}

fn selectors(pairs: &[(&str, &str)]) -> PageSelectors {
    let of = |key| pairs.iter().find(|(k, _)| *k == key).map(|(_, css)| (*css).to_owned());
    PageSelectors {
        item: of("item"),
        title: of("title"),
        date: of("date"),
        link: of("link"),
        body: of("body"),
    }
}

#[test]
fn an_item_without_a_date_of_its_own_gets_none_from_its_text_or_its_neighbours() {
    let item = |title: &str, text: &str, date: &str| {
        format!("<article><h2><a href=/{title}>{title}</a></h2><p>{text}</p>{date}</article>")
    };
    let page = [
        item("Primo", "Testo", "<p class=date>22/11/2022</p>"),
        item("Secondo", "Domande entro il <strong>30/11/2022</strong>.", ""),
        item("Terzo", "Testo", "<p class=date>18/11/2022</p>"),
        item("Quarto", "Testo", "<p class=date>15/11/2022</p>"),
    ]
    .concat();
    let reading = read_page(page.as_bytes(), &PageSelectors::default()).unwrap();
    insta::assert_snapshot!(seen(&reading), @r"
    2022-11-22 00:00 | Primo | /Primo | Testo
    - | Secondo | /Secondo | Domande entro il 30/11/2022.
    2022-11-18 00:00 | Terzo | /Terzo | Testo
    2022-11-15 00:00 | Quarto | /Quarto | Testo
    ");
}

#[test]
fn a_single_article_is_a_list_of_one() {
    let page = "<h1>Notizie</h1><article><h2><a href=/1>Avviso</a></h2><p>Testo</p>
                <p class=date>22/11/2022</p></article>";
    let reading = read_page(page.as_bytes(), &PageSelectors::default()).unwrap();
    assert_eq!(seen(&reading), "2022-11-22 00:00 | Avviso | /1 | Testo\n");
}

#[test]
fn a_line_that_says_when_and_by_whom_it_was_published_is_a_date() {
    let item = |n: u8| {
        format!("<div><h4>Avviso {n}</h4><p>Pubblicato il {n}/11/2022 da Ufficio stampa</p></div>")
    };
    let page = format!("<div>{}{}</div>", item(9), item(7));
    let reading = read_page(page.as_bytes(), &PageSelectors::default()).unwrap();
    assert_eq!(
        seen(&reading),
        "2022-11-09 00:00 | Avviso 9 | - |\n2022-11-07 00:00 | Avviso 7 | - |\n"
    );
}

#[test]
fn selectors_name_the_parts_and_any_of_them_may_be_missing() {
    let page = "<div class=a><b>Avviso uno</b> <i>entro il 3/5/2026</i> <u>2/4/26</u>
        <a href=/1>x</a><p>Testo <em>uno</em></p></div>
        <div class=a><b>Avviso due</b> <i>entro il 4/5/2026</i> <u>1/4/26</u>
        <a href=/2>x</a><p>Testo due</p></div>";
    let all =
        selectors(&[("item", ".a"), ("title", "b"), ("date", "u"), ("link", "a"), ("body", "p")]);
    let expected = "2026-04-02 00:00 | Avviso uno | /1 | Testo uno\n\
                    2026-04-01 00:00 | Avviso due | /2 | Testo due\n";
    assert_eq!(seen(&read_page(page.as_bytes(), &all).unwrap()), expected);
    for part in [&[("item", ".a")][..], &[("title", "b"), ("date", "u")], &[("body", "p")], &[]] {
        let reading = read_page(page.as_bytes(), &selectors(part)).unwrap();
        assert_eq!(reading.items.len(), 2, "{part:?}");
        assert!(seen(&reading).starts_with("2026-04-02 00:00 | Avviso uno | /1 |"), "{part:?}");
    }
    // What the selector calls a date is one, even where it says more.
    let other = read_page(page.as_bytes(), &selectors(&[("item", ".a"), ("date", "i")])).unwrap();
    assert!(seen(&other).starts_with("2026-05-03"));
}

#[test]
fn an_item_without_a_date_is_an_item_where_the_selector_says_so() {
    let page = "<li><h3>Primo</h3></li><li><h3>Secondo</h3></li>";
    let reading = read_page(page.as_bytes(), &selectors(&[("item", "li")])).unwrap();
    assert_eq!(seen(&reading), "- | Primo | - |\n- | Secondo | - |\n");
}

#[test]
fn a_selector_that_is_none_or_finds_nothing_is_a_clear_error() {
    let page = fixture("consortium.html");
    let error = read_page(&page, &selectors(&[("title", "h2[")])).unwrap_err();
    assert_eq!(error.to_string(), "[source.page] title is no CSS selector: \"h2[\"");
    let error = read_page(&page, &selectors(&[("item", "article.novita")])).unwrap_err();
    assert_eq!(error, ReadError::NothingSelected("article.novita".to_owned()));
}

#[test]
fn a_page_nested_without_end_or_of_endless_tags_is_refused() {
    let deep = format!("<html>{}", "<div>".repeat(1_000_000));
    let error = read_page(deep.as_bytes(), &PageSelectors::default()).unwrap_err();
    assert_eq!(error, ReadError::Page(HtmlTooMuch::Depth));
    let many = format!("<html>{}", "<p>22/11/2022".repeat(100_000));
    let error = read_page(many.as_bytes(), &PageSelectors::default()).unwrap_err();
    assert_eq!(error, ReadError::Page(HtmlTooMuch::Tags));
    // A parser opens what is left open again in every paragraph.
    let open: String = (0..400).map(|n| format!("<p><b class=c{n}>")).collect();
    let repeated = format!("<html>{open}{}", "<p>22/11/2022".repeat(50_000));
    let error = read_page(repeated.as_bytes(), &PageSelectors::default()).unwrap_err();
    assert_eq!(error, ReadError::Page(HtmlTooMuch::Elements));
}

proptest! {
    #[test]
    fn no_page_makes_the_reader_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "<div class=item>", "</div>", "<li>", "</li>", "<h2>", "</h2>", "<table>", "<tr>",
                "<td>", "</table>", "<dl>", "<dt>", "<dd>", "<a href='/x'>", "<a href='javascript:x'>",
                "</a>", "22/11/2022", "<time datetime=2022-11-22>", "</time>", "Titolo lungo", "<p>",
                "<b>", "<svg>", "<title>", "<template>", "<!--", "-->", "<", "&", "è", "<br>", "'",
                "<img alt='foto'>", "<nav>", "<h1>", "<span class=data>", "</span>", "<select>",
            ]), 0..60),
    ) {
        let page = format!("<html>{}", pieces.concat());
        let _ = read_page(page.as_bytes(), &PageSelectors::default());
        let _ = read_page(page.as_bytes(), &selectors(&[("item", "div,li,tr")]));
    }

    #[test]
    fn no_octets_make_the_reader_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_page(&body, &PageSelectors::default());
    }
}
