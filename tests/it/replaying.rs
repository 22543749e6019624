//! Stored answers of a source are played like polls, and nothing of an installation is touched.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

fn feed(items: &[(&str, &str)]) -> String {
    let mut text = String::from("<rss version=\"2.0\"><channel><title>Avvisi</title>");
    for (guid, title) in items {
        let _ = write!(text, "<item><title>{title}</title><guid>{guid}</guid></item>");
    }
    text.push_str("</channel></rss>");
    text
}

fn replay(folder: &Path) -> Value {
    let ran = Command::new(env!("CARGO_BIN_EXE_banditore"))
        .args(["source", "replay", "--json"])
        .arg(folder)
        .current_dir(folder.parent().unwrap())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn a_replay_counts_what_each_poll_would_have_told() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("answers");
    std::fs::create_dir(&folder).unwrap();
    let old = [("a", "Orari"), ("b", "Mensa")];
    let corrected = [("a", "Rettifica: orari invernali"), ("b", "Mensa"), ("c", "Strada chiusa")];
    let answers = [
        ("20250101T000000Z-1.xml", feed(&[])),
        ("20250102T000000Z-2.xml", feed(&old)),
        ("20250103T000000Z-3.xml", feed(&[])),
        ("20250104T000000Z-4.xml", "neither a feed nor a page".to_owned()),
        ("20250105T000000Z-5.xml", feed(&corrected)),
        ("20250106T000000Z-6.xml", feed(&old[1..])),
        ("20250107T000000Z-7.xml", feed(&corrected)),
    ];
    for (name, text) in answers {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let replayed = replay(&folder);
    let counts = ["polls", "items", "baseline", "told", "revisions", "corrections", "held"];
    let counts: Vec<Value> = counts.iter().map(|field| replayed[field].clone()).collect();
    assert_eq!(json!(counts), json!([7, 3, 2, 1, 1, 1, 0]));
    assert_eq!(replayed["errors"].as_array().unwrap().len(), 1, "{replayed}");
    let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "a replay leaves nothing behind");
}

/// Real histories, where they are at hand: what there truly was, each told once.
#[test]
fn real_histories_tell_each_item_once() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/replay");
    let Ok(expected) = std::fs::read_to_string(folder.join("expected.jsonl")) else { return };
    for line in expected.lines() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let feed = expected["feed"].as_str().unwrap();
        let replayed = replay(&folder.join(feed));
        let number = |field: &str| replayed[field].as_u64().unwrap();
        let bounds =
            expected["items_min"].as_u64().unwrap()..=expected["items_max"].as_u64().unwrap();
        assert_eq!(replayed["polls"], expected["snapshots"], "{feed}");
        assert!(bounds.contains(&number("items")), "{feed}: {replayed}");
        assert_eq!(number("told"), number("items") - number("baseline"), "{feed}: {replayed}");
    }
}
