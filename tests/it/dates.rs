//! Italian dates, and what is none.

use banditore::ingest::{date_of, is_date, parse_date};
use banditore::model::Timestamp;
use chrono::{DateTime, Datelike as _, Utc};
use chrono_tz::Europe::Rome;
use proptest::prelude::*;

/// Tuesday 22 November 2022, 12:00 UTC.
fn now() -> Timestamp {
    "2022-11-22T12:00:00Z".parse::<DateTime<Utc>>().unwrap().into()
}

fn parsed(text: &str) -> Option<String> {
    parse_date(text, Rome, now()).map(|time| Timestamp::from(time).rfc3339(Rome))
}

#[test]
fn italian_dates_in_all_usual_forms_are_read() {
    for (text, expected) in [
        ("22 Novembre 2022", "2022-11-22T00:00:00+01:00"),
        ("22 NOVEMBRE 2022", "2022-11-22T00:00:00+01:00"),
        ("martedì 22 novembre 2022", "2022-11-22T00:00:00+01:00"),
        ("lunedì 21 novembre", "2022-11-21T00:00:00+01:00"),
        ("22/11/2022", "2022-11-22T00:00:00+01:00"),
        ("22 / 11 / 2022", "2022-11-22T00:00:00+01:00"),
        ("22.11.22", "2022-11-22T00:00:00+01:00"),
        ("22-11-26", "2026-11-22T00:00:00+01:00"),
        ("22 AGO 26", "2026-08-22T00:00:00+02:00"),
        ("28 FEB 2023", "2023-02-28T00:00:00+01:00"),
        ("mar 3 gen. 2023", "2023-01-03T00:00:00+01:00"),
        ("1° marzo 2023", "2023-03-01T00:00:00+01:00"),
        ("1º marzo 2023", "2023-03-01T00:00:00+01:00"),
        ("10 sett. 2022", "2022-09-10T00:00:00+02:00"),
        ("22-nov-2022", "2022-11-22T00:00:00+01:00"),
        ("22 novembre del 2022", "2022-11-22T00:00:00+01:00"),
        ("22\u{a0}novembre\u{a0}2022", "2022-11-22T00:00:00+01:00"),
        ("22 novembre 2022, ore 12.30", "2022-11-22T12:30:00+01:00"),
        ("22/11/2022 ore 9", "2022-11-22T09:00:00+01:00"),
        ("22/11/2022 - 09:05", "2022-11-22T09:05:00+01:00"),
        ("22.11.22 h. 18:00", "2022-11-22T18:00:00+01:00"),
        ("Pubblicato il 3 giugno 2022 alle ore 08:15", "2022-06-03T08:15:00+02:00"),
        ("2022-11-22", "2022-11-22T00:00:00+01:00"),
        ("2022-11-22 10:30", "2022-11-22T10:30:00+01:00"),
        ("2022-11-22T10:30:00", "2022-11-22T10:30:00+01:00"),
        ("2022-11-22T10:30:00Z", "2022-11-22T11:30:00+01:00"),
        ("2022-11-22T10:30:00.250+05:30", "2022-11-22T06:00:00+01:00"),
        ("2022-11-22T10:30-0500", "2022-11-22T16:30:00+01:00"),
        ("Tue, 22 Nov 2022 10:30:00 GMT", "2022-11-22T11:30:00+01:00"),
        ("Mar, 22 Nov 2022 10:30:00 +0100", "2022-11-22T10:30:00+01:00"),
        ("22 Nov 22 10:30 EST", "2022-11-22T16:30:00+01:00"),
        ("November 22, 2022 3:05 PM", "2022-11-22T15:05:00+01:00"),
        ("Wed, 14 Sep 2016 10:00:00 +000", "2016-09-14T12:00:00+02:00"),
        ("20221122", "2022-11-22T00:00:00+01:00"),
        ("20221122T103000Z", "2022-11-22T11:30:00+01:00"),
        ("Dienstag, 22. November 2022", "2022-11-22T00:00:00+01:00"),
        ("5. Dezember 2022 um 10:30 Uhr", "2022-12-05T10:30:00+01:00"),
        ("mardi 22 novembre 2022", "2022-11-22T00:00:00+01:00"),
        ("1 août 2022", "2022-08-01T00:00:00+02:00"),
        ("22 novembre 2022 ore 9,45", "2022-11-22T09:45:00+01:00"),
        ("Lun, 21/11/2022 - 10:15", "2022-11-21T10:15:00+01:00"),
    ] {
        assert_eq!(parsed(text).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn a_date_without_a_year_is_the_nearest_that_is_not_far_ahead() {
    for (text, expected) in [
        ("21 novembre", "2022-11-21T00:00:00+01:00"),
        ("20 dicembre", "2022-12-20T00:00:00+01:00"),
        ("31 dicembre", "2021-12-31T00:00:00+01:00"),
        ("3 gennaio", "2022-01-03T00:00:00+01:00"),
        ("lunedì 3 gennaio", "2022-01-03T00:00:00+01:00"),
        ("domenica 3 gennaio", "2021-01-03T00:00:00+01:00"),
        ("29 febbraio", "2020-02-29T00:00:00+01:00"),
    ] {
        assert_eq!(parsed(text).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn a_time_that_summer_time_skips_is_the_first_instant_after_and_a_double_one_the_first() {
    assert_eq!(parsed("27/03/2022 ore 02.30").unwrap(), "2022-03-27T03:00:00+02:00");
    assert_eq!(parsed("30/10/2022 ore 02.30").unwrap(), "2022-10-30T02:30:00+02:00");
}

#[test]
fn what_does_not_exist_or_is_not_a_date_is_none() {
    for text in [
        "",
        " ",
        "31/02/2022",
        "31 febbraio 2022",
        "30 febbraio",
        "00/11/2022",
        "11/22/2022",
        "novembre 2022",
        "2022",
        "22/11",
        "22/11-2022",
        "131/02/2022",
        "22/11/99999",
        "n. 15/2023",
        "art. 1 della L. 197/2022",
        "99999999999/11/2022",
        "12:30",
        "22/11/1022",
    ] {
        assert_eq!(parsed(text), None, "{text}");
    }
}

#[test]
fn a_sentence_with_a_date_in_it_is_not_a_date() {
    for text in [
        "22 Novembre 2022",
        "lunedì 21 novembre",
        "Pubblicato il 22/11/2022",
        "Data: 22.11.22",
        "(22/11/2022)",
        "22/11/2022 -",
        "Data di pubblicazione: 22/11/2022 ore 10:00",
        "28 FEB",
    ] {
        assert!(is_date(text, Rome, now()), "{text}");
    }
    for text in [
        "Lunedì 21 Novembre il Comitato ristretto si è riunito",
        "Dal 2 al 3 giugno 2022",
        "22/11/2022 - 25/11/2022",
        "Scadenza: 22/11/2022",
        "entro il 22 novembre 2022",
        "Delibera 22/11/2022",
        "Chiusura degli uffici il 22/11/2022",
        "",
    ] {
        assert!(!is_date(text, Rome, now()), "{text}");
    }
}

#[test]
fn the_end_of_a_long_text_is_not_searched() {
    let long = format!("{} 22/11/2022", "parola ".repeat(100));
    assert_eq!(parse_date(&long, Rome, now()), None);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_of_dates_panic(text in any::<String>(), now in any::<i64>()) {
        let now = Timestamp(now);
        parse_date(&text, Rome, now);
        date_of(&text, Rome, now);
    }

    #[test]
    fn no_pile_of_date_like_pieces_makes_it_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "31", "02", "99999999999", "2022", "0", "24", "/", ".", "-", ":", "+", "T", "Z",
                "ore", "feb", "lunedì", "dicembre", " ", "+14:00", "-9999", "pm", "°", "'",
            ]), 0..24),
        now in -100_000_000_000i64..400_000_000_000,
    ) {
        parse_date(&pieces.concat(), Rome, Timestamp(now));
        date_of(&pieces.join(" "), Rome, Timestamp(now));
    }

    #[test]
    fn every_day_is_read_back_as_it_was_written(days in 0i64..60_000) {
        let day = DateTime::<Utc>::from_timestamp(days * 86_400, 0).unwrap().date_naive();
        for form in ["%d/%m/%Y", "%-d.%-m.%Y", "%Y-%m-%d", "%-d %B %Y"] {
            let read = parse_date(&day.format(form).to_string(), Rome, now()).unwrap();
            prop_assert_eq!(read.with_timezone(&Rome).date_naive(), day);
        }
    }
}

#[test]
fn the_ends_of_time_have_a_day_in_every_zone() {
    for end in [i64::MIN, i64::MAX] {
        for zone in [Rome, chrono_tz::Pacific::Kiritimati, chrono_tz::Pacific::Pago_Pago] {
            assert_eq!(Timestamp(end).in_zone(zone).year() > 0, end > 0);
            let _ = parse_date("1 ottobre", zone, Timestamp(end));
        }
    }
}
