//! Forms as anybody may send them.

use proptest::prelude::*;
use scraper::{Html, Selector};

use super::town::Town;

#[tokio::test]
async fn what_was_typed_stays_and_each_error_leads_to_its_field() {
    let town = Town::open().await;
    let typed = "anna\"><script>alert(1)</script>@example";
    let more = [("topic", "school"), ("topic", "<b>"), ("place", "crema"), ("cadence", "hourly")];
    let answer = town.ask_from("192.0.2.1", typed, &more).await;
    assert_eq!(answer.status, 422);
    let page = Html::parse_document(&answer.body);
    let select = |css: &str| page.select(&Selector::parse(css).unwrap()).collect::<Vec<_>>();
    assert!(select("script").is_empty());
    assert_eq!(select("#email")[0].value().attr("value"), Some(typed));
    assert_eq!(select("#email")[0].value().attr("aria-invalid"), Some("true"));
    assert_eq!(select("#topic-school[checked], #place-crema[checked]").len(), 2);
    let links = select(".errors a");
    assert_eq!(links.len(), 3);
    for link in links {
        assert_eq!(select(link.value().attr("href").unwrap()).len(), 1);
    }
}

#[tokio::test]
async fn every_field_has_a_label_and_every_group_a_legend() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[]).await;
    town.ask_for_link("anna@example.org").await;
    let link = town.link_to("anna@example.org").await;
    for path in ["/", "/subscribe", "/preferences", &link] {
        let body = town.get(path).await.body;
        let page = Html::parse_document(&body);
        let select = |css: &str| page.select(&Selector::parse(css).unwrap()).collect::<Vec<_>>();
        assert_eq!((select("h1").len(), select("main").len()), (1, 1), "{path}");
        for field in select("input:not([type=hidden])") {
            let id = field.value().attr("id").unwrap();
            assert_eq!(select(&format!("label[for=\"{id}\"]")).len(), 1, "{path} {id}");
            for described in field.value().attr("aria-describedby").unwrap_or_default().split(' ') {
                let found = described.is_empty() || select(&format!("#{described}")).len() == 1;
                assert!(found, "{path} {described}");
            }
        }
        for group in select("fieldset") {
            assert_eq!(group.select(&Selector::parse("legend").unwrap()).count(), 1, "{path}");
        }
        let mut ids: Vec<&str> =
            select("[id]").iter().filter_map(|e| e.value().attr("id")).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{path}");
        assert!(select("script, style, [style], [onclick], iframe, img").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let town = Town::open().await;
    let body = format!("email={}", "a".repeat(70_000));
    for path in ["/subscribe", "/preferences", "/p/x", "/confirm/x"] {
        let status = town.post_raw("192.0.2.1", path, body.clone().into_bytes()).await.status;
        assert!(status == 413 || status == 404, "{path} {status}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_field_and_no_body_breaks_a_page_or_reaches_the_database(
        values in prop::collection::vec(prop_oneof![
            ".{0,60}", "[<>\"'&;=%@. ]{0,30}", "(\\PC|\\p{Cc}){0,200}",
        ], 6),
        raw in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let town = Town::open().await;
            let names = ["email", "topic", "place", "cadence", "language", "list"];
            let mut fields: Vec<(&str, &str)> =
                names.into_iter().zip(values.iter().map(String::as_str)).collect();
            for path in ["/subscribe", "/preferences", "/confirm/x", "/p/x", "/u/x"] {
                let answer = town.post(path, &fields).await;
                assert!(answer.status < 500, "{path} {answer:?}");
                let answer = town.post_raw("x", path, raw.clone()).await;
                assert!(answer.status < 500, "{path} {answer:?}");
            }
            // With all else as it should be, too.
            fields.truncate(3);
            let email = fields[0].1.to_owned();
            let answer = town.ask_from("192.0.2.1", &email, &fields[1..]).await;
            assert!(matches!(answer.status, 200 | 422), "{answer:?}");
            let page = Html::parse_document(&answer.body);
            assert_eq!(page.select(&Selector::parse("h1").unwrap()).count(), 1);
            assert!(page.select(&Selector::parse("script, b, i, a[href^=j]").unwrap()).next().is_none());
        });
    }
}
