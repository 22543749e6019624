//! Several relays, what each takes in an hour, and what goes to one domain.

use banditore::audience::{EmailAddress, Keys};
use banditore::config::Secret;
use banditore::delivery::Totals;
use proptest::prelude::*;

use super::postfix::free_port;
use super::support::{Plan, Post, header};
use super::*;

fn fallback(port: u16, more: &str) -> String {
    format!("[[smtp.fallback]]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n{more}\n")
}

#[tokio::test]
async fn where_the_first_relay_is_away_the_next_takes_the_mail_at_once() {
    let (post, away) = (Post::open().await, free_port());
    let plan = Plan { port: away, people: 7, connections: 2, ..Plan::default() };
    let house = Plan { more: fallback(post.port, ""), ..plan }.build().await;
    assert_eq!(house.deliver().await, Totals { accepted: 7, ..Totals::default() });
    assert_eq!(post.mails().len(), 7);
    assert!(house.messages().await.iter().all(|message| message.attempts == 1));
    assert!(house.audit().await.is_empty());
}

#[tokio::test]
async fn no_relay_takes_more_than_its_share_of_an_hour_and_a_restart_forgets_nothing() {
    let post = Post::open().await;
    let more = "messages_per_hour = 10".to_owned();
    let plan = Plan { port: post.port, people: 25, connections: 3, more, ..Plan::default() };
    let house = plan.build().await;
    // One of ten is left for who signs up meanwhile.
    assert_eq!(house.deliver().await.accepted, 9);
    assert_eq!(house.deliver().await, Totals::default());
    house.step(1_800);
    assert_eq!(house.deliver().await, Totals::default());
    house.step(2_400);
    assert_eq!(house.deliver().await.accepted, 9);
    house.step(4_200);
    assert_eq!(house.deliver().await.accepted, 7);
    assert_eq!(post.mails().len(), 25);
    assert!(house.messages().await.iter().all(|message| message.attempts == 1));
    assert!(house.audit().await.is_empty());
}

#[tokio::test]
async fn a_relay_that_has_had_its_share_of_the_day_leaves_the_rest_to_the_next() {
    let (first, second) = (Post::open().await, Post::open().await);
    let more = format!("messages_per_day = 6\n{}", fallback(second.port, ""));
    let plan = Plan { port: first.port, people: 20, connections: 3, more, ..Plan::default() };
    let house = plan.build().await;
    assert_eq!(house.deliver().await.accepted, 20);
    assert_eq!((first.mails().len(), second.mails().len()), (6, 14));
    assert!(house.audit().await.is_empty());
}

#[tokio::test]
async fn a_connection_carries_as_many_messages_as_the_settings_and_the_relay_say() {
    let two = format!("{OPENING}{TO_DATA}{CONTENT}{ACCEPTED}{TO_DATA}{CONTENT}{ACCEPTED}{QUIT}");
    let one = accepting().replace("S 250 SIZE 1000000", "S 250 LIMITS RCPTMAX=100 MAILMAX=1");
    let server = ScriptedRelay::start([two, one, accepting()]).await;
    let more = "messages_per_connection = 2".to_owned();
    let house = Plan { port: server.port, people: 4, more, ..Plan::default() }.build().await;
    assert_eq!(house.deliver().await.accepted, 4);
    assert_eq!(contents(server).await.len(), 4);
}

#[tokio::test]
async fn what_is_too_much_for_a_domain_goes_later_and_nothing_is_tried_in_vain() {
    let post = Post::open().await;
    let more = "[delivery]\ndomain_messages_per_minute = 12".to_owned();
    let house = Plan { port: post.port, people: 5, connections: 3, more, ..Plan::default() };
    let house = house.build().await;
    assert_eq!(house.deliver().await.accepted, 2);
    house.step(5);
    assert_eq!(house.deliver().await.accepted, 1);
    house.step(10);
    assert_eq!(house.deliver().await.accepted, 2);
    assert!(house.messages().await.iter().all(|message| message.attempts == 1));
    assert!(house.audit().await.is_empty());
}

#[tokio::test]
async fn a_bounce_comes_to_an_address_that_names_its_message() {
    let post = Post::open().await;
    let more = "[delivery]\nbounce_address = \"bounces@example.it\"".to_owned();
    let house = Plan { port: post.port, people: 3, more, ..Plan::default() }.build().await;
    assert_eq!(house.deliver().await.accepted, 3);
    let bounces: EmailAddress = "bounces@example.it".parse().unwrap();
    let messages = house.messages().await;
    for mail in post.mails() {
        let keys = &house.installation.keys;
        let named = keys.read_bounce_address(&bounces, &mail.return_path).unwrap();
        let message = messages.iter().find(|message| message.id == named).unwrap();
        let id = format!("<{}>", house.message_id(message));
        assert_eq!(header(&mail.source, "Message-ID"), id);
    }
}

proptest! {
    #[test]
    fn an_address_for_bounces_names_its_message_in_any_case_and_no_other_does(
        message in any::<i64>(),
        at in 0_usize..29,
        to in proptest::char::range('a', 'z'),
    ) {
        let keys = Keys::new(Secret::new("una frase segreta di prova, lunga quanto serve").unwrap());
        let bounces: EmailAddress = "bounces@example.it".parse().unwrap();
        let address = keys.bounce_address(&bounces, message);
        let local = address.rsplit_once('@').unwrap().0;
        prop_assert!(local.len() <= 64, "{}", address);
        prop_assert_eq!(keys.read_bounce_address(&bounces, &address), Some(message));
        let upper = address.to_uppercase();
        prop_assert_eq!(keys.read_bounce_address(&bounces, &upper), Some(message));
        let mut altered = address.clone();
        altered.replace_range(8 + at..9 + at, &to.to_string());
        if altered != address {
            prop_assert_eq!(keys.read_bounce_address(&bounces, &altered), None);
        }
    }

    #[test]
    fn what_is_no_address_for_bounces_names_nothing(address in "\\PC{0,80}") {
        let keys = Keys::new(Secret::new("una frase segreta di prova, lunga quanto serve").unwrap());
        let bounces: EmailAddress = "bounces@example.it".parse().unwrap();
        prop_assert_eq!(keys.read_bounce_address(&bounces, &address), None);
        let near = format!("bounces+{address}@example.it");
        prop_assert_eq!(keys.read_bounce_address(&bounces, &near), None);
    }
}
