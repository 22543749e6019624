//! The HTML part, for eyes, ears and fingers; and the text part beside it.

use banditore::model::Language;
use scraper::{ElementRef, Html, Selector};

use super::sample::{envelope, html_of, message, parsed, text_of, told};
use super::templates;

fn page(language: Language) -> Html {
    let message = message(&templates(), &told(), language, &envelope());
    Html::parse_document(&html_of(&parsed(&message)))
}

fn select<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    page.select(&Selector::parse(selector).unwrap()).collect()
}

fn words(text: &str) -> Vec<String> {
    let bare = text.split_whitespace().map(|word| word.trim_matches([':', ',', '·', '.']));
    bare.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_text_part_says_what_the_html_says() {
    for language in Language::ALL {
        let message = message(&templates(), &told(), language, &envelope());
        let text = text_of(&parsed(&message));
        let page = page(language);
        let is_furniture = |line: &&str| {
            line.starts_with("http") || (!line.is_empty() && line.chars().all(|c| "*-".contains(c)))
        };
        let of_text: Vec<String> =
            text.lines().filter(|line| !is_furniture(line)).flat_map(words).collect();
        let hidden: String = select(&page, ".preheader").iter().flat_map(|e| e.text()).collect();
        let mut of_page = Vec::new();
        for element in select(&page, "body") {
            let texts = element.text().filter(|text| *text != hidden);
            of_page.extend(words(&texts.collect::<Vec<_>>().join(" ")));
        }
        assert_eq!(of_text, of_page, "{language}");
        let links: Vec<&str> =
            select(&page, "a").iter().map(|link| link.value().attr("href").unwrap()).collect();
        let of_text: Vec<&str> = text.lines().filter(|line| line.starts_with("http")).collect();
        assert_eq!(of_text, links, "{language}");
    }
}

#[test]
fn titles_dates_and_reasons_stand_in_both_parts() {
    let message = message(&templates(), &told(), Language::It, &envelope());
    let parsed = parsed(&message);
    for part in [text_of(&parsed), html_of(&parsed)] {
        let at = |what: &str| part.find(what).unwrap_or_else(|| panic!("no {what} in {part}"));
        let mut last = 0;
        for (_, entry, _) in told() {
            let here = part.rfind(entry.title).unwrap();
            assert!(here > last, "{} is out of order", entry.title);
            last = here;
        }
        at("Rettifica");
        at("16 novembre 2022");
        at("Scadenza: 9 dicembre 2022");
        at("Lo ricevi perché segui: Ambiente, Quintano");
        at("residente@example.org");
        at("https://notizie.example.org/u/mfrggzdfmztwq2lk");
    }
}

#[test]
fn headings_are_in_order_below_a_single_first_one() {
    for language in Language::ALL {
        let page = page(language);
        let levels: Vec<u32> = select(&page, "h1, h2, h3, h4, h5, h6")
            .iter()
            .map(|heading| heading.value().name()[1..].parse().unwrap())
            .collect();
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
        assert_eq!(levels[0], 1);
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    }
}

#[test]
fn screen_readers_are_told_languages_and_which_tables_are_furniture() {
    let page = page(Language::En);
    assert_eq!(select(&page, "html")[0].value().attr("lang"), Some("en"));
    let tables = select(&page, "table");
    assert!(tables.iter().all(|table| table.value().attr("role") == Some("presentation")));
    // The items are in Italian also in the English digest.
    assert!(select(&page, "h3").iter().all(|item| item.value().attr("lang") == Some("it")));
    for link in select(&page, "a") {
        let text: String = link.text().collect();
        assert!(text.chars().count() > 8 && !text.starts_with("http"), "{text:?}");
    }
}

#[test]
fn opening_a_mail_asks_nothing_of_any_server() {
    let message = message(&templates(), &told(), Language::It, &envelope());
    let html = html_of(&parsed(&message));
    let page = Html::parse_document(&html);
    let asking = "img, link, script, iframe, object, embed, video, audio, source, form, base";
    assert!(select(&page, asking).is_empty());
    for never in ["@import", "url(", " src=", " background=", "srcset", "http-equiv=\"refresh\""] {
        assert!(!html.contains(never), "{never}");
    }
    let linked = select(&page, "a").len();
    let namespace = "http://www.w3.org/1999/xhtml";
    assert_eq!(html.matches("http://").count(), 1);
    assert!(html.contains(namespace));
    assert_eq!(html.matches("https://").count(), linked);
}

/// The relative luminance of a colour (WCAG 2.1).
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[test]
fn contrast_is_enough_by_day_and_by_night() {
    const CONTRAST_MIN: f64 = 4.5;
    let message = message(&templates(), &told(), Language::It, &envelope());
    let html = html_of(&parsed(&message));
    let day = [
        ("#ffffff", "#0066cc"),
        ("#17324d", "#ffffff"),
        ("#0066cc", "#ffffff"),
        ("#455b71", "#ffffff"),
        ("#b3261e", "#ffffff"),
        ("#4d3800", "#fff0c7"),
        ("#455b71", "#f4f7fa"),
        ("#0059b3", "#f4f7fa"),
    ];
    let night = [
        ("#e9edf1", "#1a1f25"),
        ("#ffffff", "#1a1f25"),
        ("#b9c3cd", "#1a1f25"),
        ("#7fbaff", "#1a1f25"),
        ("#ffb4a8", "#1a1f25"),
        ("#ffe9b0", "#4d3800"),
        ("#b9c3cd", "#14181d"),
        ("#7fbaff", "#14181d"),
    ];
    let mut left = html.clone();
    for (text, ground) in day.into_iter().chain(night) {
        assert!(html.contains(text) && html.contains(ground), "{text} on {ground} is not used");
        let (one, two) = (luminance(text), luminance(ground));
        let contrast = (one.max(two) + 0.05) / (one.min(two) + 0.05);
        assert!(contrast >= CONTRAST_MIN, "{text} on {ground}: {contrast:.2}");
        left = left.replace(&format!(" {text}"), "").replace(&format!(":{text}"), "");
    }
    // Any other text colour would have escaped the list above.
    assert!(!left.contains("color: #e") && !left.contains(";color:#"), "{left}");
}
