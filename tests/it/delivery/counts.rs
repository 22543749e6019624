//! What became of an edition's messages, added up.

use banditore::audience;
use serde_json::{Value, json};

use super::support::Plan;
use super::*;

#[tokio::test]
async fn an_editions_messages_are_counted_by_domain_and_by_reason() {
    let script = format!(
        "{OPENING}{TO_DATA}{CONTENT}S 554 5.7.1 not this one\n{TO_DATA}{CONTENT}{ACCEPTED}{QUIT}"
    );
    let server = ScriptedRelay::start([script]).await;
    let house = Plan { port: server.port, people: 4, ..Plan::default() }.build().await;
    let now = house.installation.clock.now();
    let messages = house.messages().await;
    audience::leave(house.store(), messages[2].subscription_id, now).await.unwrap();
    let mut tx = house.write().await;
    let last = super::support::address(4).parse().unwrap();
    audience::erase(&mut tx, &house.installation.keys, &last, "a voce", now).await.unwrap();
    tx.commit().await.unwrap();
    house.deliver().await;

    let edition = messages[0].edition_id.to_string();
    let output = house.run(&["messages", "count", "--edition", &edition, "--json"]).await;
    assert!(output.status.success(), "{output:?}");
    let counted: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        counted,
        json!({
            "edition": messages[0].edition_id,
            "domains": [
                { "domain": "example.it", "state": "accepted", "messages": 1 },
                { "domain": "example.it", "state": "cancelled", "messages": 1 },
                { "domain": "example.it", "state": "failed", "messages": 1 },
                { "domain": null, "state": "cancelled", "messages": 1 },
            ],
            "reasons": [
                { "state": "accepted", "cause": null, "stage": "reply", "code": 250,
                    "messages": 1 },
                { "state": "cancelled", "cause": "erased", "stage": null, "code": null,
                    "messages": 1 },
                { "state": "cancelled", "cause": "left", "stage": null, "code": null,
                    "messages": 1 },
                { "state": "failed", "cause": "failed", "stage": "reply", "code": 554,
                    "messages": 1 },
            ],
            "more": false,
        })
    );

    let output = house.run(&["messages", "count", "--edition", &edition]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("554 at reply"), "{text}");
    let none = house.run(&["messages", "count", "--edition", "4711"]).await;
    assert_eq!(none.status.code(), Some(2));
}
