//! Mails to the admins of the office: each thing told once, and what happens together in one mail.

use banditore::audience::{NOTICE_KEPT_DAYS, expire_sign_ups};
use banditore::rendering::{OfficeEntry, OfficeMatter, OfficeView, Templates};
use banditore::round;
use banditore::store::{NoticeKind, Trouble};

use crate::signing_up::town::Town;

const ADMIN: &str = "admins = [\"ufficio@comune.example.it\"]";
const LIST: &str = "[[list]]\nid = \"residents\"\nname = \"Notizie\"\n\
    from = \"Comune di Prova <news@example.it>\"\ncadences = { daily = \"0 0 7 * * *\" }\n";
const HOUR: i64 = 3600;

async fn town(site: &str, sources: usize) -> Town {
    let source = |n| format!("[[source]]\nid = \"news-{n}\"\nurl = \"file:news-{n}.xml\"\n");
    let sources: String = (0..sources).map(source).collect();
    Town::with_site(site, &format!("{sources}{LIST}")).await
}

/// What one source has from now on.
fn publish(town: &Town, source: usize, titles: &[&str]) {
    town.publish(titles);
    let folder = town.folder.path();
    std::fs::rename(folder.join("news.xml"), folder.join(format!("news-{source}.xml"))).unwrap();
}

fn take_away(town: &Town, source: usize) {
    std::fs::remove_file(town.folder.path().join(format!("news-{source}.xml"))).unwrap();
}

/// Half a day of rounds.
async fn half_a_day(town: &Town) {
    for _ in 0..4 {
        town.step(3 * HOUR);
        town.work().await;
    }
}

/// Polls alone, until the first source has turned bad.
async fn poll_and_fail(town: &Town) {
    while events(town).await == 0 {
        town.step(3 * HOUR);
        round::poll(&town.installation, None).await.unwrap();
    }
}

async fn events(town: &Town) -> i64 {
    town.count("SELECT count(*) FROM office_event").await
}

#[tokio::test]
async fn a_source_that_fails_for_long_makes_one_mail_and_its_recovery_another() {
    let town = town(ADMIN, 1).await;
    publish(&town, 0, &["Uno"]);
    town.work().await;
    take_away(&town, 0);
    half_a_day(&town).await;
    half_a_day(&town).await;
    half_a_day(&town).await;
    let mails = town.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to, "ufficio@comune.example.it");
    assert!(mails[0].subject.contains("Fonte senza notizie da tempo"), "{}", mails[0].subject);
    assert!(mails[0].text.contains("news-0"), "{}", mails[0].text);
    assert!(mails[0].source.contains("\r\nAuto-Submitted: auto-generated\r\n"));
    assert!(!mails[0].source.contains("List-Unsubscribe") && !mails[0].source.contains("List-Id"));
    publish(&town, 0, &["Uno"]);
    half_a_day(&town).await;
    half_a_day(&town).await;
    let mails = town.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert!(mails[1].subject.contains("Fonte di nuovo attiva"), "{}", mails[1].subject);
    let mut tx = town.installation.store.read().await.unwrap();
    let (written, _) = tx.notice_counts().await.unwrap();
    let messages = tx.notice_messages_after(0, 10).await.unwrap();
    assert_eq!((written, messages.len()), (2, 2));
    assert!(messages.iter().all(|message| message.kind == NoticeKind::Office));
}

#[tokio::test]
async fn thirty_sources_that_turn_bad_at_once_are_one_mail_to_each_admin() {
    let admins = "admins = [\"a@comune.example.it\", \"b@comune.example.it\"]";
    let town = town(admins, 30).await;
    poll_and_fail(&town).await;
    assert_eq!(events(&town).await, 30);
    town.step(HOUR);
    half_a_day(&town).await;
    let mails = town.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert_eq!(mails[0].subject, "30 avvisi sulle fonti");
    for n in 0..30 {
        assert!(mails[0].text.contains(&format!("(news-{n})")), "{}", mails[0].text);
    }
    assert_eq!(events(&town).await, 0);
}

#[tokio::test]
async fn a_telling_that_is_killed_is_done_again_and_two_at_once_tell_once() {
    let town = town(ADMIN, 1).await;
    poll_and_fail(&town).await;
    assert_eq!(events(&town).await, 1);
    // Not before its time.
    assert_eq!(round::tell_office(&town.installation).await.unwrap(), 0);
    town.step(HOUR);
    {
        // Killed before it was committed: what was taken is there again.
        let mut tx = town.installation.store.write().await.unwrap();
        let held = tx.hold_office_events(10).await.unwrap();
        tx.forget_office_events(&held).await.unwrap();
    }
    assert_eq!(events(&town).await, 1);
    let (one, other) = tokio::join!(
        round::tell_office(&town.installation),
        round::tell_office(&town.installation)
    );
    assert_eq!(one.unwrap() + other.unwrap(), 1);
    assert_eq!(events(&town).await, 0);
    assert_eq!(round::tell_office(&town.installation).await.unwrap(), 0);
    town.deliver().await;
    assert_eq!(town.mails().len(), 1);
}

#[tokio::test]
async fn without_admins_nothing_is_queued_and_who_becomes_one_is_not_told_what_is_old() {
    let town = town("", 1).await;
    half_a_day(&town).await;
    half_a_day(&town).await;
    assert_eq!(events(&town).await, 0);
    assert_eq!(town.count("SELECT count(*) FROM notice").await, 0);
    assert_eq!(town.count("SELECT count(*) FROM subscriber").await, 0);
}

#[tokio::test]
async fn a_flood_is_one_mail_with_its_first_titles_until_somebody_has_decided() {
    let town = town(ADMIN, 1).await;
    publish(&town, 0, &["Uno"]);
    town.work().await;
    let titles: Vec<String> = (0..200).map(|n| format!("Avviso &lt;b&gt;{n}")).collect();
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    publish(&town, 0, &titles);
    half_a_day(&town).await;
    half_a_day(&town).await;
    let office = |mail: &crate::signing_up::town::Came| mail.to.starts_with("ufficio");
    let mails: Vec<_> = town.mails().into_iter().filter(office).collect();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].subject.contains("Notizie trattenute"), "{}", mails[0].subject);
    assert!(mails[0].text.contains("e altre 195"), "{}", mails[0].text);
}

#[tokio::test]
async fn an_admin_who_is_suppressed_gets_neither_mail_nor_row() {
    let town = town(ADMIN, 1).await;
    town.erase("ufficio@comune.example.it").await;
    half_a_day(&town).await;
    half_a_day(&town).await;
    assert!(town.mails().is_empty());
    assert_eq!(events(&town).await, 0);
    assert_eq!(town.count("SELECT count(*) FROM subscriber").await, 0);
}

#[tokio::test]
async fn the_address_of_an_admin_goes_with_the_last_notice_to_it() {
    let town = town(ADMIN, 1).await;
    half_a_day(&town).await;
    half_a_day(&town).await;
    assert_eq!(town.count("SELECT count(*) FROM subscriber").await, 1);
    town.step((NOTICE_KEPT_DAYS + 1) * 24 * HOUR);
    while expire_sign_ups(&town.installation.store, town.now()).await.unwrap() > 0 {}
    assert_eq!(town.count("SELECT count(*) FROM subscriber").await, 0);
    assert_eq!(town.count("SELECT count(*) FROM notice").await, 0);
}

#[test]
fn every_trouble_has_words_in_every_language_and_hostile_titles_stay_text() {
    let templates = Templates::embedded().unwrap();
    let at = chrono::NaiveDate::from_ymd_opt(2026, 11, 25).unwrap().and_hms_opt(9, 5, 0).unwrap();
    let titles = ["<script>alert(1)</script>\r\nBcc: x@example.org {{t.why}}".to_owned()];
    let entry = |what| OfficeEntry {
        source: "news",
        title: "<img src=x onerror=alert(1)>",
        url: "javascript:alert(1)",
        at,
        what,
    };
    let mut entries = vec![entry(OfficeMatter::Held { count: 3, titles: &titles })];
    for trouble in Trouble::ALL {
        let trouble = trouble.as_str();
        entries.push(entry(OfficeMatter::Bad { since: at, trouble, error: "</p><script>" }));
    }
    for language in [banditore::model::Language::It, banditore::model::Language::En] {
        let view = OfficeView { site_name: "Comune", entries: &entries };
        let mail = templates.office(&view, language).unwrap();
        let html = String::from_utf8(mail.body.html).unwrap().replace("=\r\n", "");
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        assert!(!html.contains("href=3D\"javascript"), "{html}");
        let text = String::from_utf8(mail.body.text).unwrap().replace("=\r\n", "");
        assert!(
            !text.contains("\nBcc") && !text.contains(": .") && !text.contains(": ;"),
            "{text}"
        );
        let one = OfficeView { site_name: "Comune", entries: &entries[..1] };
        assert!(!templates.office(&one, language).unwrap().subject.contains(['\r', '\n']));
    }
}

#[test]
fn a_mail_to_the_office_reads_well_in_italian() {
    let templates = Templates::embedded().unwrap();
    let at = chrono::NaiveDate::from_ymd_opt(2026, 11, 25).unwrap().and_hms_opt(9, 5, 0).unwrap();
    let titles = ["Bando per le borse di studio".to_owned(), "Chiusura del ponte".to_owned()];
    let matters = [
        OfficeMatter::Bad {
            since: at,
            trouble: "server",
            error: "www.comune.example.it answered with status 500",
        },
        OfficeMatter::Recovered { since: Some(at) },
        OfficeMatter::Gone,
        OfficeMatter::Held { count: 60, titles: &titles },
    ];
    let entries = matters.map(|what| OfficeEntry {
        source: "comune",
        title: "Comune di Prova: novità",
        url: "https://www.comune.example.it/feed?a=1&b=2",
        at,
        what,
    });
    let view = OfficeView { site_name: "Comune di Prova", entries: &entries };
    let mail = templates.office(&view, banditore::model::Language::It).unwrap();
    let source = |part: Vec<u8>| {
        let head = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n";
        let whole = [&head[..], &part].concat();
        let parsed = mail_parser::MessageParser::default().parse(&whole).unwrap();
        parsed.body_text(0).unwrap().replace("\r\n", "\n")
    };
    insta::assert_snapshot!(
        "office_it_text",
        format!("{}\n\n{}", mail.subject, source(mail.body.text))
    );
    insta::assert_snapshot!("office_it_html", source(mail.body.html));
}
