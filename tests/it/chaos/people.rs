//! People who come, change their minds, pause, return and leave, while editions are planned; and
//! what each of them should have been told.

use std::collections::{BTreeMap, BTreeSet};

use banditore::audience::{self, Consent, Joining, Keys, Preferences};
use banditore::model::{CadenceId, Language, ListId, Timestamp};
use banditore::store::{EntryRow, Store, StoreError, Tx};
use banditore::topics::{Classification, phrase_key};

use crate::support::id;

pub const CADENCES: [&str; 2] = ["daily", "weekly"];
const TOPICS: [&str; 4] = ["tenders", "school", "environment", "sport"];
const PLACES: [&str; 2] = ["crema", "quintano"];
const WORDS: [&str; 2] = ["piscina", "mensa"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active,
    Paused,
    Ended,
}

/// From a position on, until the next span: what somebody asks for.
#[derive(Clone, Debug)]
struct Span {
    from: i64,
    wanted: Preferences,
    state: State,
}

pub struct Person {
    pub address: String,
    spans: Vec<Span>,
}

pub struct People {
    store: Store,
    keys: Keys,
    list: ListId,
    pub everybody: Vec<Person>,
    pub changes: usize,
}

fn now() -> Timestamp {
    chrono::Utc::now().into()
}

fn some<'a>(of: &[&'a str]) -> Vec<&'a str> {
    of.iter().filter(|_| rand::random_bool(0.4)).copied().collect()
}

fn wish() -> Preferences {
    let cadence: CadenceId = id(CADENCES[rand::random_range(0..CADENCES.len())]);
    let word = |word: &&str| (phrase_key(word).unwrap(), (*word).to_owned());
    let mut words: Vec<(String, String)> = some(&WORDS).iter().map(word).collect();
    words.sort();
    Preferences {
        cadence,
        topics: some(&TOPICS).into_iter().map(id).collect(),
        places: some(&PLACES).into_iter().map(id).collect(),
        language: if rand::random() { Language::It } else { Language::En },
        words,
    }
}

impl People {
    pub fn new(store: Store, keys: Keys, list: ListId) -> Self {
        Self { store, keys, list, everybody: Vec::new(), changes: 0 }
    }

    /// Somebody joins.
    pub async fn joins(&mut self) -> Result<(), StoreError> {
        let address = format!("p{:04}@example.it", self.everybody.len());
        let wanted = wish();
        let mut tx = self.store.write().await?;
        self.ask(&mut tx, &address, &wanted).await?;
        let from = self.pin(&mut tx, &address).await?;
        tx.commit().await?;
        let spans = vec![Span { from, wanted, state: State::Active }];
        self.everybody.push(Person { address, spans });
        Ok(())
    }

    /// Somebody who is there changes something.
    pub async fn something_changes(&mut self) -> Result<(), StoreError> {
        let number = rand::random_range(0..self.everybody.len());
        let (address, span) = {
            let person = &self.everybody[number];
            (person.address.clone(), person.spans.last().unwrap().clone())
        };
        let mut tx = self.store.write().await?;
        let (mut wanted, mut state) = (span.wanted, span.state);
        match (span.state, rand::random_range(0..10)) {
            (State::Ended, _) => return Ok(()),
            (State::Active, 0) | (State::Paused, 0..4) => {
                let paused = span.state == State::Active;
                state = if paused { State::Paused } else { State::Active };
                let held = self.subscription(&mut tx, &address).await?;
                let held = tx.hold_subscription(held).await?.unwrap();
                audience::pause(&mut tx, &held, paused, now()).await?;
            }
            (_, 9) => {
                state = State::Ended;
                let subscription = self.subscription(&mut tx, &address).await?;
                drop(tx);
                audience::leave(&self.store, subscription, now()).await?;
                tx = self.store.write().await?;
            }
            _ => {
                wanted = wish();
                self.ask(&mut tx, &address, &wanted).await?;
            }
        }
        let from = self.pin_or(&mut tx, &address, span.from).await?;
        tx.commit().await?;
        self.changes += 1;
        self.everybody[number].spans.push(Span { from, wanted, state });
        Ok(())
    }

    async fn ask(
        &self,
        tx: &mut Tx<'_>,
        address: &str,
        wanted: &Preferences,
    ) -> Result<(), StoreError> {
        let consent = Consent { way: "import", proof: "test", text_version: None };
        let (address, list) = (&id(address), &self.list);
        let joining = Joining { address, name: None, list, wanted, consent };
        audience::join(tx, &self.keys, &joining, now()).await.map(|_| ())
    }

    async fn subscription(&self, tx: &mut Tx<'_>, address: &str) -> Result<i64, StoreError> {
        let subject = tx.subject_by_hash(&self.keys.address_hash(&id(address))).await?.unwrap();
        Ok(tx.subscription(subject.id, &self.list).await?.unwrap().id)
    }

    /// How far the program says that a subscription has been told, when it has just changed.
    async fn pin(&self, tx: &mut Tx<'_>, address: &str) -> Result<i64, StoreError> {
        self.pin_or(tx, address, 0).await
    }

    /// The same; where nothing has changed, since the same was asked for again, nothing is pinned.
    async fn pin_or(&self, tx: &mut Tx<'_>, address: &str, before: i64) -> Result<i64, StoreError> {
        let subscription = self.subscription(tx, address).await?;
        let held = tx.subscription_by_id(subscription).await?.unwrap();
        Ok(held.cursor.unwrap_or(before))
    }

    /// Compares what each was told with what each should have been, once all is told. A position
    /// that stands in two messages, in none, or in one of somebody who did not ask for it, is told.
    pub async fn check(&self, ruleset: &str) -> BTreeSet<(i64, bool)> {
        let mut tx = self.store.read().await.unwrap();
        let head = tx.stream_head().await.unwrap();
        let entries: Vec<(EntryRow, Classification)> = tx
            .window(0, head, ruleset)
            .await
            .unwrap()
            .into_iter()
            .map(|entry| {
                let found = entry.classification_json.as_deref().expect("each entry is matched");
                let found = serde_json::from_str(found).unwrap();
                (entry, found)
            })
            .collect();
        let mut variants: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        let mut messages = BTreeSet::new();
        for Person { address, spans } in &self.everybody {
            let hash = self.keys.address_hash(&id(address));
            let subject = tx.subject_by_hash(&hash).await.unwrap().unwrap();
            let mut told: Vec<i64> = Vec::new();
            for message in tx.messages_of(subject.id).await.unwrap() {
                let ended = spans.last().unwrap().state == State::Ended;
                let state = message.state.as_str();
                let left = message.cause.as_deref() == Some("left") && state == "cancelled";
                assert!(state == "accepted" || (left && ended), "{address}: {message:?}");
                messages.insert((message.id, !left));
                if let Some(known) = variants.get(&message.variant_id) {
                    told.extend(known.iter().copied());
                    continue;
                }
                let row = tx.variant(message.variant_id).await.unwrap().unwrap();
                told.extend(row.variant.entries.iter().copied());
                variants.insert(message.variant_id, row.variant.entries);
            }
            told.sort_unstable();
            let ends = spans.iter().skip(1).map(|next| next.from).chain([head]);
            let expected: Vec<i64> = spans
                .iter()
                .zip(ends)
                .filter(|(span, _)| span.state == State::Active)
                .flat_map(|(span, end)| {
                    entries.iter().filter(move |(entry, found)| {
                        entry.position > span.from
                            && entry.position <= end
                            && wants(&span.wanted, &entry.text.title, found)
                    })
                })
                .map(|(entry, _)| entry.position)
                .collect();
            assert_eq!(told, expected, "{address}, told on the left; {spans:#?}");
        }
        messages
    }
}

/// The rule of the design, said again for one person and one item.
fn wants(wanted: &Preferences, title: &str, found: &Classification) -> bool {
    let title = title.to_lowercase();
    let topics = wanted.topics.is_empty()
        || found.topics.iter().any(|topic| wanted.topics.contains(&topic.id));
    let places = found.places.is_empty()
        || wanted.places.is_empty()
        || found.places.iter().any(|place| wanted.places.contains(&place.id));
    wanted.words.iter().any(|(_, phrase)| title.contains(phrase)) || (topics && places)
}
