//! `items release --source` and `items drop --source`: more items than one transaction decides, by
//! two people at once, and broken off in the middle.

use std::fmt::Write as _;

use crate::program::{Office, Ran};
use crate::support::database::blocking;
use crate::support::{Beside, Engine};

const TIME: &str = "2026-11-25T08:00:00+01:00";
/// More than one transaction decides.
const HELD: usize = 1_100;

/// An office of which so many items are held.
fn office() -> Office {
    let office = Office::with(1, "[[source]]\nid = \"news\"\nurl = \"file:news.xml\"\n");
    office.at(TIME, &["migrate"]).done();
    let items = "INSERT INTO item (id, source_id, identity, revision, digest, baseline,
        first_seen_at) VALUES ";
    let revisions = "INSERT INTO revision (item_id, revision, title, summary, content,
        image_alt_json, categories_json, seen_at) VALUES ";
    let holds = "INSERT INTO hold (item_id, source_id, cause, held_at) VALUES ";
    let entries = "INSERT INTO entry (item_id, revision, reason, source_id) VALUES ";
    let mut parts = [items, revisions, holds, entries].map(str::to_owned);
    for n in 1..=HELD {
        let end = if n == HELD { ";" } else { "," };
        let [items, revisions, holds, entries] = &mut parts;
        write!(items, "({n}, 'news', 'n{n}', 1, '', 0, 1){end}").unwrap();
        write!(revisions, "({n}, 1, 'Avviso {n}', '', '', '[]', '[]', 1){end}").unwrap();
        write!(holds, "({n}, 'news', 'flood', 1){end}").unwrap();
        write!(entries, "({n}, 1, 'new', 'news'){end}").unwrap();
    }
    office.sql(&parts.concat());
    office
}

fn decide(office: &Office, what: &str, by: &str) -> Ran {
    office.at(TIME, &["items", what, "--source", "news", "--by", by])
}

/// How many rows there are.
fn count(office: &Office, of: &str) -> usize {
    let sql = format!("SELECT CAST(count(*) AS TEXT) FROM {of}");
    let counted = async { Beside::to(&office.database_url()).await.texts(&sql).await };
    blocking(counted)[0].parse().unwrap()
}

fn decided(ran: &Ran) -> usize {
    ran.out.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn of_two_who_decide_about_all_items_of_a_source_at_once_each_item_has_one_decision() {
    let office = office();
    let (released, dropped) = std::thread::scope(|scope| {
        let other = scope.spawn(|| decide(&office, "drop", "Bruno").done());
        let own = decide(&office, "release", "Anna").done();
        (decided(&own), decided(&other.join().unwrap()))
    });
    assert_eq!(released + dropped, HELD);
    assert_eq!(count(&office, "hold WHERE ended_by = 'Anna' AND ended_as = 'released'"), released);
    assert_eq!(count(&office, "hold WHERE ended_by = 'Bruno' AND ended_as = 'dropped'"), dropped);
    let placed = "(SELECT DISTINCT item_id FROM entry WHERE position IS NOT NULL) AS placed";
    assert_eq!((count(&office, placed), count(&office, "entry")), (released, released));
    let traced = "trace WHERE action IN ('item.released', 'item.dropped')";
    assert_eq!(count(&office, traced), HELD, "each with its line");
}

#[test]
fn a_release_that_breaks_off_keeps_whole_pages_and_the_next_does_the_rest() {
    // What makes it break off is a trigger of one of the two databases.
    if matches!(Engine::of_this_run(), Engine::Postgres) {
        return;
    }
    let office = office();
    office.sql(
        "CREATE TRIGGER broken BEFORE UPDATE ON hold WHEN new.item_id = 1050
            BEGIN SELECT RAISE(ABORT, 'broken off'); END",
    );
    decide(&office, "release", "Anna").refused(1);
    assert_eq!(count(&office, "hold WHERE ended_at IS NOT NULL"), 1_000);
    assert_eq!(count(&office, "entry WHERE position IS NOT NULL"), 1_000);
    assert_eq!(count(&office, "trace WHERE action = 'item.released'"), 1_000);
    office.sql("DROP TRIGGER broken");
    assert_eq!(decided(&decide(&office, "release", "Anna").done()), 100);
    assert_eq!(count(&office, "entry WHERE position IS NOT NULL"), HELD);
    assert_eq!(decided(&decide(&office, "release", "Anna").done()), 0, "nothing is told twice");
}
