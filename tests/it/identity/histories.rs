//! Random histories of a site, against a model that knows which item is which: each is told once,
//! when it first stands in an answer after the first.

use std::collections::BTreeSet;

use banditore::ingest::ReadItem;

use super::Site;
use crate::support::{Engine, Random};

/// Histories on SQLite, and on PostgreSQL, where each makes a database first.
const HISTORIES: (u64, u64) = (40, 8);
const POLLS: usize = 25;

/// An item as the office knows it.
struct Piece {
    number: usize,
    title: String,
    text: String,
    /// Whether it stands on a page with others.
    shared: bool,
    /// For how many polls it is not shown.
    absent: usize,
}

/// A site: what it shows, and how it names things just now.
struct Office {
    random: Random,
    pieces: Vec<Piece>,
    ids: bool,
    ids_made: usize,
    moved: usize,
    secure: bool,
    token: Option<usize>,
    dates: usize,
    shown_at_once: usize,
}

impl Office {
    fn new(seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let ids = random.one_in(2);
        let shown_at_once = 4 + random.below(8);
        Self {
            random,
            pieces: Vec::new(),
            ids,
            ids_made: 0,
            moved: 0,
            secure: true,
            token: None,
            dates: 0,
            shown_at_once,
        }
    }

    fn publish(&mut self) {
        let number = self.pieces.len();
        let recurs = self.random.one_in(5);
        let title = if recurs {
            "Consiglio comunale".to_owned()
        } else {
            let kinds = ["Chiusura di via", "Bando per il centro", "Lavori nella scuola"];
            format!("{} numero {}", self.random.pick(&kinds), 100 + number)
        };
        let text = format!("L'ufficio {number} ha deciso quanto segue il giorno {}.", 7 * number);
        // Two of one title on one page, without ids, are one item for whoever reads.
        let shared = !recurs && self.random.one_in(5);
        self.pieces.push(Piece { number, title, text, shared, absent: 0 });
    }

    /// Something happens to the site or to one piece of news, never so much to one at once that
    /// nobody could know it again.
    fn happen(&mut self) -> &'static str {
        let newest = self.pieces.len().saturating_sub(self.shown_at_once);
        let one = newest + self.random.below(self.pieces.len() - newest);
        match self.random.below(13) {
            0 => {
                self.ids_made += 1;
                "ids"
            }
            1 => {
                self.moved += 1;
                "moved"
            }
            2 => {
                self.ids_made += 1;
                self.moved += 1;
                "ids and moved"
            }
            3 | 4 => {
                self.secure = !self.secure;
                self.token = Some(self.random.below(1_000));
                "session"
            }
            5 => {
                self.dates += 1;
                "dates"
            }
            6 if self.pieces[one].absent == 0 => {
                let piece = &mut self.pieces[one];
                piece.title.push_str(" (corretto)");
                "title"
            }
            7 if self.pieces[one].absent == 0 => {
                self.pieces[one].text.push_str(" Il testo è stato completato.");
                "text"
            }
            8 | 9 => {
                for piece in &mut self.pieces {
                    piece.absent = if self.random.one_in(2) { 1 + self.random.below(3) } else { 0 };
                }
                "halved"
            }
            10 => {
                for piece in &mut self.pieces {
                    piece.absent = piece.absent.max(1);
                }
                "empty"
            }
            _ => {
                for _ in 0..=self.random.below(2) {
                    self.publish();
                }
                "news"
            }
        }
    }

    /// The answer, and the numbers of the items in it.
    fn answer(&mut self) -> (Vec<ReadItem>, Vec<usize>) {
        let newest = self.pieces.len().saturating_sub(self.shown_at_once);
        let mut shown: Vec<&Piece> =
            self.pieces[newest..].iter().rev().filter(|piece| piece.absent == 0).collect();
        if self.random.one_in(3) && !shown.is_empty() {
            let by = self.random.below(shown.len());
            shown.rotate_left(by);
        }
        let numbers = shown.iter().map(|piece| piece.number).collect();
        let items = shown.iter().map(|piece| self.item(piece)).collect();
        for piece in &mut self.pieces {
            piece.absent = piece.absent.saturating_sub(1);
        }
        (items, numbers)
    }

    fn item(&self, piece: &Piece) -> ReadItem {
        let scheme = if self.secure { "https://www." } else { "http://" };
        let page = match piece.shared {
            true => "eventi.html".to_owned(),
            false => format!("notizia-{}.html", piece.number),
        };
        let token = self.token.map_or(String::new(), |token| format!("?p_auth={token}"));
        let moved = self.moved;
        ReadItem {
            id: self.ids.then(|| format!("{}/{}", self.ids_made, piece.number)),
            link: Some(format!("{scheme}example.org/sito{moved}/{page}{token}")),
            title: piece.title.clone(),
            summary: format!("{}\nVisite: {}", piece.text, 10 + self.dates * 7),
            published: Some(
                chrono::DateTime::from_timestamp(1_760_000_000 + self.dates as i64 * 3_600, 0)
                    .unwrap(),
            ),
            ..ReadItem::default()
        }
    }
}

async fn play(seed: u64) -> Result<usize, String> {
    let mut office = Office::new(seed);
    let mut site = Site::new().await;
    for _ in 0..6 {
        office.publish();
    }
    let mut known = BTreeSet::new();
    let mut history = Vec::new();
    for poll in 0..POLLS {
        if poll > 0 {
            history.push(office.happen());
        }
        let first = known.is_empty();
        let (items, numbers) = office.answer();
        let taken = site.poll(&items).await;
        let new: BTreeSet<usize> =
            numbers.into_iter().filter(|number| known.insert(*number)).collect();
        let told = if first { taken.baseline } else { taken.new.len() };
        if told != new.len() || !taken.held.is_empty() {
            let titles: Vec<&str> = taken.new.iter().map(|item| item.text.title.as_str()).collect();
            return Err(format!(
                "history {seed}, poll {poll}: told {titles:?}, new {new:?}, after {history:?}; \
                 ids {}",
                office.ids
            ));
        }
    }
    Ok(known.len())
}

#[tokio::test]
async fn whatever_a_site_does_each_item_is_told_once() {
    let histories = match Engine::of_this_run() {
        Engine::Sqlite => HISTORIES.0,
        Engine::Postgres => HISTORIES.1,
    };
    let text = std::env::var("BANDITORE_SITE_HISTORIES").ok();
    let histories = text.map_or(histories, |text| text.parse().unwrap());
    let mut failed = Vec::new();
    for seed in 1..=histories {
        failed.extend(play(seed).await.err());
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}
