//! Links: made here, for one purpose, for a time.

use banditore::audience::Keys;
use banditore::config::Secret;
use banditore::model::Timestamp;
use proptest::prelude::*;

use super::town::Town;
use crate::support::keys;

fn others() -> Keys {
    Keys::new(Secret::new("another secret for tests, of enough octets").unwrap())
}

/// Whether any reader takes it.
fn taken(keys: &Keys, token: &str) -> bool {
    keys.read_confirmation_token(token).is_some()
        || keys.read_preferences_token(token).is_some()
        || keys.read_unsubscribe_token(token).is_some()
        || keys.read_form_token("subscribe", token).is_some()
}

proptest! {
    #[test]
    fn a_token_is_read_for_its_own_purpose_alone(id in any::<i64>(), at in any::<i64>()) {
        let keys = keys();
        let confirmation = keys.confirmation_token(id);
        let preferences = keys.preferences_token(id, Timestamp(at));
        let unsubscribe = keys.unsubscribe_token(id);
        let form = keys.form_token("subscribe", Timestamp(at));
        prop_assert_eq!(keys.read_confirmation_token(&confirmation), Some(id));
        prop_assert_eq!(keys.read_preferences_token(&preferences), Some((id, Timestamp(at))));
        prop_assert_eq!(keys.read_unsubscribe_token(&unsubscribe), Some(id));
        prop_assert_eq!(keys.read_form_token("subscribe", &form), Some(Timestamp(at)));
        for other in [&preferences, &unsubscribe, &form] {
            prop_assert_eq!(keys.read_confirmation_token(other), None);
        }
        for other in [&confirmation, &unsubscribe, &form] {
            prop_assert_eq!(keys.read_preferences_token(other), None);
        }
        for other in [&confirmation, &preferences, &form] {
            prop_assert_eq!(keys.read_unsubscribe_token(other), None);
        }
        prop_assert_eq!(keys.read_form_token("preferences", &form), None);
        for token in [&confirmation, &preferences, &unsubscribe, &form] {
            let plain = token.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            prop_assert!(plain, "{}", token);
            prop_assert!(!taken(&others(), token));
        }
    }

    #[test]
    fn a_token_with_any_character_changed_or_none_at_all_is_no_token(
        id in any::<i64>(), place in any::<prop::sample::Index>(), other in "[a-z2-7]", text in ".{0,80}",
    ) {
        let keys = keys();
        for token in [keys.confirmation_token(id), keys.preferences_token(id, Timestamp(id))] {
            let at = place.index(token.len());
            let mut altered = token.clone();
            altered.replace_range(at..=at, &other);
            prop_assert!(altered == token || !taken(&keys, &altered));
            let longer = format!("{token}a");
            prop_assert!(!taken(&keys, &token[1..]) && !taken(&keys, &longer));
        }
        prop_assert!(!taken(&keys, &text));
    }
}

#[tokio::test]
async fn a_link_of_another_purpose_or_altered_leads_to_a_page_that_says_what_to_do() {
    let town = Town::open().await;
    town.come_in("anna@example.org", &[]).await;
    town.ask("bruno@example.org").await;
    town.ask_for_link("anna@example.org").await;
    town.deliver().await;
    let mails = town.mails();
    let token = |who: &str| {
        let mail = mails.iter().rev().find(|mail| mail.to.starts_with(who)).unwrap();
        mail.link().rsplit('/').next().unwrap().to_owned()
    };
    let leaving = town.leaving("anna@example.org").await;
    let (confirmation, preferences) = (token("bruno"), token("anna"));
    let unsubscribe = leaving.strip_prefix("/u/").unwrap().to_owned();
    let before = town.contents().await;
    for (path, tokens) in [
        ("/confirm", [&preferences, &unsubscribe]),
        ("/p", [&confirmation, &unsubscribe]),
        ("/u", [&confirmation, &preferences]),
    ] {
        for token in tokens {
            for answer in [
                town.get(&format!("{path}/{token}")).await,
                town.post(&format!("{path}/{token}"), &[("action", "leave")]).await,
            ] {
                assert_eq!(answer.status, 404, "{path}");
                assert!(answer.body.contains("incompleto o sbagliato"), "{}", answer.body);
            }
        }
    }
    assert_eq!(town.contents().await, before);
}
