//! What pages tell those who are not meant to know.

use super::town::Town;

#[tokio::test]
async fn the_answer_is_the_same_for_new_known_suppressed_erased_and_too_often_asked() {
    let town = Town::open().await;
    town.come_in("known@example.org", &[]).await;
    town.come_in("left@example.org", &[]).await;
    town.post(&town.leaving("left@example.org").await, &[]).await;
    town.suppress("blocked@example.org").await;
    town.come_in("erased@example.org", &[]).await;
    town.erase("erased@example.org").await;
    for number in 0..4 {
        town.ask_from(
            "192.0.2.1",
            "often@example.org",
            &[("topic", ["school", "waste", "works", "sport"][number])],
        )
        .await;
    }
    let expected = town.ask("new@example.org").await;
    assert_eq!(expected.status, 200);
    for who in ["known", "left", "blocked", "erased", "often"] {
        assert_eq!(town.ask(&format!("{who}@example.org")).await, expected, "{who}");
    }
    let expected = town.ask_for_link("new@example.org").await;
    assert_eq!(expected.status, 200);
    for who in ["known", "left", "blocked", "erased", "often", "stranger"] {
        assert_eq!(town.ask_for_link(&format!("{who}@example.org")).await, expected, "{who}");
    }
    town.deliver().await;
    let mails = town.mails();
    let count = |who: &str| mails.iter().filter(|mail| mail.to.starts_with(who)).count();
    assert_eq!(count("blocked") + count("stranger"), 0);
    // In, already, and the link.
    assert_eq!(count("known"), 3);
    assert_eq!(count("often"), 3);
}

#[tokio::test]
async fn who_is_subscribed_already_gets_a_link_to_the_preferences_and_nothing_changes() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[("topic", "school")]).await;
    let profiles = town.count("SELECT profile_id FROM subscription").await;
    town.ask_from("192.0.2.1", "ANNA@example.org", &[("topic", "waste")]).await;
    let link = town.link_to("anna@example.org").await;
    assert!(link.starts_with("/p/"), "{link}");
    assert_eq!(town.count("SELECT profile_id FROM subscription").await, profiles);
    assert_eq!(town.get(&link).await.status, 200);
}

#[tokio::test]
async fn private_lists_are_on_no_public_page_and_cannot_be_joined_by_it() {
    let town = Town::open().await;
    for path in ["/", "/subscribe", "/subscribe?list=mayors", "/preferences", "/?lang=en"] {
        let page = town.get(path).await;
        assert!(!page.body.contains("Rassegna riservata"), "{path}");
        assert!(!page.body.contains("mayors"), "{path}");
    }
    let answer = town.ask_from("192.0.2.1", "anna@example.org", &[("list", "mayors")]).await;
    assert_eq!(answer.status, 422);
    assert_eq!(town.count("SELECT count(*) FROM notice").await, 0);
}

#[tokio::test]
async fn no_get_changes_anything_whatever_its_path() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[]).await;
    town.ask("bruno@example.org").await;
    town.ask_for_link("anna@example.org").await;
    town.deliver().await;
    let mails = town.mails();
    let links = mails.iter().map(super::town::Came::link);
    let leaving = town.leaving("anna@example.org").await;
    let fixed = [
        "/",
        "/subscribe",
        "/preferences",
        "/pages.css",
        "/subscribe?email=carla@example.org&list=residents",
        "/preferences?email=anna@example.org",
        "/confirm/x",
        "/p/x",
        "/u/x",
        "/nowhere",
    ];
    let paths: Vec<String> =
        fixed.into_iter().map(str::to_owned).chain(links).chain([leaving]).collect();
    let before = town.contents().await;
    for path in &paths {
        for query in ["", "?lang=en&action=leave&subscription=x"] {
            let page = town.get(&format!("{path}{query}")).await;
            assert!(page.status < 500, "{path} {page:?}");
        }
        assert_eq!(town.contents().await, before, "{path}");
    }
}

#[tokio::test]
async fn pages_speak_the_language_that_is_asked_for_and_say_everything_in_both() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[]).await;
    town.ask_for_link("anna@example.org").await;
    let link = town.link_to("anna@example.org").await;
    let time = town.time_of("/subscribe").await;
    for (lang, title) in [("it", "Iscriviti a"), ("en", "Subscribe to")] {
        for path in ["/", "/subscribe", "/preferences", "/confirm/x", "/u/x", "/p/x", link.as_str()]
        {
            let page = town.get(&format!("{path}?lang={lang}")).await;
            let tag = format!("<html lang=\"{lang}\">");
            assert!(page.body.contains(&tag), "{path}: {}", page.body);
            complete(&page.body);
        }
        assert!(town.get(&format!("/subscribe?lang={lang}")).await.body.contains(title));
        let wrong = [("list", "residents"), ("topic", "?"), ("place", "?"), ("time", &*time)];
        let page = town.post(&format!("/subscribe?lang={lang}"), &wrong).await;
        assert_eq!(page.status, 422);
        complete(&page.body);
        for action in ["pause", "resume", "save", "none"] {
            let own = town.get(&link).await.body;
            let id = own.split_once("name=\"subscription\" value=\"").unwrap().1;
            let id = id.split('"').next().unwrap().to_owned();
            let fields = [("action", action), ("subscription", &id)];
            complete(&town.post(&format!("{link}?lang={lang}"), &fields).await.body);
        }
    }
}

/// Demands that no phrase and no value is missing: a missing one shows its name, or braces.
#[track_caller]
fn complete(page: &str) {
    let sections = [
        "common",
        "choices",
        "home",
        "subscribe",
        "confirm",
        "preferences",
        "busy",
        "plain",
        "leave",
    ];
    for section in sections {
        assert!(!page.contains(&format!(">{section}.")), "{page}");
    }
    assert!(!page.contains('{') && page.ends_with("</html>\n"), "{page}");
}

#[tokio::test]
async fn no_answer_that_must_not_tell_who_is_known_comes_before_its_time() {
    let pace = std::time::Duration::from_millis(250);
    let town = Town::paced(pace).await;
    town.come_in("known@example.org", &[]).await;
    for email in ["known@example.org", "stranger@example.org", "known@example.org"] {
        let time = town.time_of("/preferences").await;
        town.step(20);
        let begun = std::time::Instant::now();
        let answer = town.post("/preferences", &[("email", email), ("time", &time)]).await;
        assert_eq!(answer.status, 200);
        assert!(begun.elapsed() >= pace, "{email}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn what_is_refused_before_a_page_sees_it_is_a_page_too_with_the_headers_of_all() {
    let town = Town::open().await;
    let long = vec![b'a'; 70_000];
    for (method, path, body, status) in [
        ("GET", "/nowhere", vec![], 404),
        ("POST", "/", vec![], 405),
        ("PUT", "/subscribe", vec![], 405),
        ("POST", "/subscribe", long.clone(), 413),
        ("GET", "/u/%ff", vec![], 400),
    ] {
        let page = town.raw(method, path, body).await;
        assert_eq!(page.status().as_u16(), status, "{method} {path}");
        let header = |name: &str| page.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!(header("cache-control"), Some("no-store"), "{method} {path}");
        assert!(header("content-security-policy").unwrap().starts_with("default-src 'none'"));
        assert_eq!(header("allow").is_some(), status == 405, "{method} {path}");
        let text = page.text().await.unwrap();
        assert!(text.contains("lang=\"it\"") && text.contains("lang=\"en\""), "{text}");
        complete(&text);
    }
}

#[tokio::test]
async fn a_page_that_fails_says_so_in_both_languages_without_the_database() {
    let town = Town::open().await;
    town.run("DROP TABLE rate_limit").await;
    let answer = town.ask_for_link("anna@example.org").await;
    assert_eq!(answer.status, 503);
    for text in ["Al momento non funziona", "It does not work at the moment"] {
        assert!(answer.body.contains(text), "{}", answer.body);
    }
    complete(&answer.body);
}

#[test]
fn both_catalogues_of_the_pages_have_the_same_phrases_with_the_same_places() {
    let read = |name: &str| -> toml::Table {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/pages");
        toml::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
    };
    let shape = |table: toml::Table| -> Vec<String> {
        let mut shape = Vec::new();
        for (section, phrases) in table {
            for (name, phrase) in phrases.as_table().unwrap() {
                let phrase = phrase.as_str().unwrap();
                let mut places: Vec<&str> = phrase.split('{').skip(1).collect();
                places.iter_mut().for_each(|place| *place = place.split('}').next().unwrap());
                places.sort_unstable();
                shape.push(format!("{section}.{name} {}", places.join(",")));
            }
        }
        shape.sort();
        shape
    };
    assert_eq!(shape(read("it.toml")), shape(read("en.toml")));
}
