//! Codes, sums of money and deadlines that travel with an item.

use banditore::topics::{Classification, Field, FollowedWords, ItemText, Rules};
use chrono::{NaiveDate, NaiveTime};
use proptest::prelude::*;

fn rules() -> &'static Rules {
    static RULES: std::sync::OnceLock<Rules> = std::sync::OnceLock::new();
    RULES.get_or_init(Rules::built_in)
}

fn read(text: &str) -> Classification {
    let item = ItemText { title: "Avviso", text, categories: &[], image_alt: &[] };
    rules().classify(&item)
}

#[test]
fn a_cig_is_one_after_its_name_or_by_its_check_digits() {
    let cases: &[(&str, &[&str])] = &[
        ("CIG: 8726BB9C21", &["8726BB9C21"]),
        ("C.I.G. n. 5667922532", &["5667922532"]),
        ("CIG 5667922532, 6030788BAF", &["5667922532", "6030788BAF"]),
        ("codice CIG: B2F4A1C8AE", &["B2F4A1C8AE"]),
        ("SmartCIG Z8726BB9C2", &["Z8726BB9C2"]),
        // Without the name: these have right check digits, those have not.
        ("lotto B2F4A1C8AE e lotto Z4023D017E", &["B2F4A1C8AE", "Z4023D017E"]),
        ("lotto 614899465E", &["614899465E"]),
        ("lotto B2F4A1C8AF, tel. 0373280000, matricola ABCDEFGHIL", &[]),
        ("CIG in deroga", &[]),
        ("CIG: da richiedere", &[]),
    ];
    for (text, wanted) in cases {
        assert_eq!(read(text).codes.cig, *wanted, "{text}");
    }
}

#[test]
fn a_cup_is_one_after_its_name_or_by_its_form() {
    let cases: &[(&str, &[&str])] = &[
        ("CUP C62B17000400006", &["C62B17000400006"]),
        ("C.U.P.: c62b17000400006", &["C62B17000400006"]),
        ("CUP n. J31B21004690005 - J31B21004690006", &["J31B21004690005", "J31B21004690006"]),
        ("progetto J31B21004690005 finanziato", &["J31B21004690005"]),
        ("CUP: chiamare lo 0373 280000", &[]),
        ("IBAN IT60X0542811101000000123456", &[]),
        ("codice fiscale RSSMRA80A01D142K", &[]),
    ];
    for (text, wanted) in cases {
        assert_eq!(read(text).codes.cup, *wanted, "{text}");
    }
}

#[test]
fn measures_of_the_plan_are_read_in_figures_and_in_words() {
    let cases: &[(&str, &[&str])] = &[
        ("M1C1", &["M1C1"]),
        ("M1.C1, M2 C2 e M4-C1", &["M1C1", "M2C2", "M4C1"]),
        ("M1C1I1.4.3", &["M1C1", "1.4.3"]),
        ("PNRR, Missione 1 Componente 1", &["M1C1"]),
        ("Missione 4 \u{201c}Istruzione e ricerca\u{201d} \u{2013} Componente 1", &["M4C1"]),
        ("Missione n. 5 Inclusione e coesione, Componente 2, Investimento 2.1", &["M5C2", "2.1"]),
        ("PNRR Missione IV, componente I", &["M4C1"]),
        ("PNRR, Missione 6", &["M6"]),
        ("PNRR - Investimento 1.4.3", &["1.4.3"]),
        ("Missione 6 in Africa", &[]),
        ("missione compiuta", &[]),
        ("misura 4.1.1 del PSR", &[]),
        ("M1C9, M9C1", &[]),
    ];
    for (text, wanted) in cases {
        assert_eq!(read(text).codes.measure, *wanted, "{text}");
    }
}

#[test]
fn codes_have_their_words_as_evidence_and_can_be_followed() {
    let found = read("Lavori, CUP C62B17000400006.");
    assert_eq!(found.codes.evidence[0].text, "CUP C62B17000400006");
    let words = [(1, "C62B17000400006"), (2, "c62b17000400006"), (3, "J31B21004690005")];
    let followed = FollowedWords::new(words.map(|(id, word)| (id, word.to_owned())));
    let item =
        ItemText { title: "Avviso", text: "CUP: C62B17000400006", categories: &[], image_alt: &[] };
    assert_eq!(followed.hits(&item).into_iter().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn sums_are_read_as_offices_write_them() {
    let cases: &[(&str, &[u64])] = &[
        ("importo \u{20ac} 1.234.567,89", &[123_456_789]),
        ("\u{20ac}1.500 e \u{20ac}. 300,5", &[150_000, 30_050]),
        ("euro 40mila", &[4_000_000]),
        ("40mila euro", &[4_000_000]),
        ("40.000 euro", &[4_000_000]),
        ("300 mila euro", &[30_000_000]),
        ("1,2 milioni di euro", &[120_000_000]),
        ("oltre 10 milioni di Euro", &[1_000_000_000]),
        ("2 mld di euro", &[200_000_000_000]),
        ("Euro 1.500,00=", &[150_000]),
        ("EUR 500", &[50_000]),
        ("1.500,00 \u{20ac}", &[150_000]),
        ("50.000 \u{20ac} da 10.000 \u{20ac} l'uno", &[5_000_000, 1_000_000]),
        ("200 euro, ancora 200 euro", &[20_000]),
        ("1.5 euro", &[]),
        ("40mila persone, 12 milioni di abitanti", &[]),
        ("l'area euro nel 2026", &[]),
        ("99999999999999999999 euro", &[]),
        ("9999999999999 miliardi di euro", &[]),
    ];
    for (text, wanted) in cases {
        let cents: Vec<u64> = read(text).amounts.iter().map(|sum| sum.euro_cents).collect();
        assert_eq!(cents, *wanted, "{text}");
    }
    let found = read("Stanziati oltre 10 milioni di Euro per i comuni");
    assert_eq!(found.amounts[0].evidence.text, "10 milioni di Euro");
}

fn day(year: i32, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year, month, day)
}

fn time(hour: u32, minute: u32) -> Option<NaiveTime> {
    NaiveTime::from_hms_opt(hour, minute, 0)
}

#[test]
fn a_deadline_has_its_time_of_day_where_it_is_given() {
    for (text, date, hour) in [
        ("Domande entro e non oltre le ore 12.00 del 15/12/2026.", day(2026, 12, 15), time(12, 0)),
        ("Scadenza: 15/12/2026 ore 10:30", day(2026, 12, 15), time(10, 30)),
        ("Scadenza 15 dicembre 2026, alle ore 23:59", day(2026, 12, 15), time(23, 59)),
        ("Offerte entro mezzogiorno del 3 marzo 2027", day(2027, 3, 3), time(12, 0)),
        ("Offerte entro le ore 9 del 3 marzo 2027", day(2027, 3, 3), time(9, 0)),
        ("Offerte entro le ore 24:00 del 3 marzo 2027", day(2027, 3, 3), time(23, 59)),
        ("Scadenza: 15/12/2026", day(2026, 12, 15), None),
        ("Scadenza: 15/12/2026 ore 31.00", day(2026, 12, 15), None),
        ("Scadenza: 15/12/2026. Ore 10:30 inaugurazione", day(2026, 12, 15), None),
        ("Ore 10:30 inaugurazione", None, None),
    ] {
        let found = read(text);
        assert_eq!((found.deadline, found.deadline_time), (date, hour), "{text}");
        assert_eq!(found.deadline_evidence.is_some(), date.is_some(), "{text}");
    }
    let found = read("Domande entro e non oltre le ore 12.00 del 15/12/2026 al protocollo");
    let evidence = found.deadline_evidence.expect("evidence");
    assert_eq!(evidence.text, "entro e non oltre le ore 12.00 del 15/12/2026");
}

#[test]
fn a_deadline_without_a_year_is_the_next_such_day_after_publication() {
    let published = day(2026, 11, 25).expect("a day");
    for (text, wanted) in [
        ("scadenza: 15 dicembre p.v.", day(2026, 12, 15)),
        ("Scadenza 15 dicembre", day(2026, 12, 15)),
        ("Domande entro il 10 gennaio prossimo", day(2027, 1, 10)),
        ("Domande entro il 25 novembre", day(2026, 11, 25)),
        // Nobody is given a year: it is over, and known to no year.
        ("Scadenza 20 novembre", None),
        ("Scadenza 31 febbraio", None),
        ("Scadenza 15 dicembre, ma per i residenti scadenza 20/01/2027", day(2027, 1, 20)),
        ("Scadenza 15 dicembre, prima scadenza 20/11/2026", day(2026, 12, 15)),
        ("La festa del 15 dicembre p.v.", None),
    ] {
        assert_eq!(read(text).published_on(published).deadline, wanted, "{text}");
    }
    assert_eq!(read("Scadenza 15 dicembre").deadline, None, "unknown when it was published");
    let found = read("Scadenza 15 dicembre p.v. ore 12").published_on(published);
    assert_eq!(found.deadline_time, time(12, 0));
    assert_eq!(found.deadline_evidence.expect("evidence").text, "Scadenza 15 dicembre p.v. ore 12");
}

#[test]
fn what_was_kept_before_there_were_sums_and_times_is_still_read() {
    let old = r#"{"topics":[],"places":[],"codes":{"cig":["8726BB9C21"],"cup":[],"measure":[]},
        "deadline":"2026-12-15"}"#;
    let found: Classification = serde_json::from_str(old).expect("an old one");
    assert_eq!(found.codes.cig, ["8726BB9C21"]);
    assert_eq!((found.deadline, found.deadline_time), (day(2026, 12, 15), None));
    assert!(found.amounts.is_empty() && found.corrected.is_empty());
}

/// Texts that provoke: pieces of codes, sums and deadlines between anything.
fn hostile() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("CIG".to_owned()),
        Just("B2F4A1C8AE".to_owned()),
        Just("CUP C62B1700040000".to_owned()),
        Just("Missione 1 componente".to_owned()),
        Just("M1C1I".to_owned()),
        Just("m\u{e9}1 c1".to_owned()),
        Just("\u{20ac} 1.234.567,8".to_owned()),
        Just("9999999999999 miliardi di euro".to_owned()),
        Just("scadenza 31 dicembre".to_owned()),
        Just("entro le ore 24.00 del 29/02/2027".to_owned()),
        Just("ore 99:99".to_owned()),
        Just("p.v.".to_owned()),
        "[0-9.,/:\u{20ac} -]{0,12}",
        "\\PC{0,8}",
        any::<String>(),
    ];
    let between = prop_oneof![Just(" "), Just(""), Just("\n"), Just(". ")];
    proptest::collection::vec((word, between), 0..16)
        .prop_map(|words| words.into_iter().map(|(word, gap)| word + gap).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn evidence_of_codes_sums_and_deadlines_points_into_its_field_for_any_text(
        title in hostile(), text in hostile(), days in -1_000_000i32..1_000_000,
    ) {
        let item = ItemText { title: &title, text: &text, categories: &[], image_alt: &[] };
        let published = NaiveDate::from_num_days_from_ce_opt(days).unwrap_or_default();
        let found = rules().classify(&item).published_on(published);
        let amounts = found.amounts.iter().map(|sum| &sum.evidence);
        let deadline = found.deadline_evidence.iter();
        for evidence in found.codes.evidence.iter().chain(amounts).chain(deadline) {
            let field = if evidence.field == Field::Title { &title } else { &text };
            prop_assert_eq!(field.get(evidence.start..evidence.end), Some(&*evidence.text));
        }
    }
}
