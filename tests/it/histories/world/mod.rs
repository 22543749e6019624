//! One history on the real store and on the naive model at once.

use std::collections::BTreeMap;

use banditore::audience::{self, EmailAddress, Keys, PAUSED, Preferences};
use banditore::delivery::audit;
use banditore::editions::{self, Planner, Planning, Step};
use banditore::model::{CadenceId, Language, ListId, SourceId, Timestamp};
use banditore::store::{EntryReason, MessageState, StoredSubscription};
use banditore::topics::{Classification, CorrectionSubject, PlaceMatch, TopicMatch, phrase_key};
use chrono::{Days, NaiveDate, Weekday};

use super::events::{CADENCES, Event, History, LISTS, PLACES, SOURCES, TOPICS, WORDS, Wish};
use crate::naive::{Cadence, Entry, Message, Naive, Rhythm, State};
use crate::support::{self, Ground, ZONE, at, id};

/// What went differently, in words.
pub type Differs = Result<(), String>;

/// Turns any error of the house into words.
fn said<E: std::fmt::Debug>(error: E) -> String {
    format!("{error:?}")
}

pub struct World<'a> {
    ground: &'a Ground,
    planner: Planner<'a>,
    keys: Keys,
    now: Timestamp,
    naive: Naive,
    /// The id of each card's subscription.
    subscriptions: Vec<i64>,
    /// The id of each of the model's editions.
    editions: Vec<i64>,
    /// The id of each item, with its source and its newest revision.
    items: Vec<(i64, SourceId, i64)>,
    plannings: BTreeMap<Cadence, Planning<'a>>,
    /// What another process has of an edition that both are planning.
    rivals: BTreeMap<Cadence, Planning<'a>>,
    /// The entries of each variant seen so far, and its language.
    variants: BTreeMap<i64, (Vec<i64>, &'static str)>,
}

/// Runs a history to its end; gives how many messages were written, and for how many pairs of a
/// person and an item it was explained what becomes of it.
pub async fn run(history: &History, explained: bool) -> Result<(usize, usize), String> {
    let ground = Ground::new().await;
    let planner = support::planner(&ground.store, history.chunk);
    let mut world = World {
        ground: &ground,
        planner,
        keys: support::keys(),
        // The last Sunday of October, when the clocks change, is near.
        now: at("2026-10-22T04:00:00Z"),
        naive: Naive::new(ZONE),
        subscriptions: Vec::new(),
        editions: Vec::new(),
        items: Vec::new(),
        plannings: BTreeMap::new(),
        rivals: BTreeMap::new(),
        variants: BTreeMap::new(),
    };
    world.found().await.map_err(said)?;
    for (number, event) in history.events.iter().enumerate() {
        let told = |what: String| format!("event {number}, {event:?}: {what}");
        world.happens(event).await.map_err(told)?;
        world.agrees().await.map_err(told)?;
    }
    world.ends().await?;
    let pairs = if explained { world.explains().await? } else { 0 };
    let messages = world.naive.messages.len();
    drop(world);
    ground.store.close().await;
    Ok((messages, pairs))
}

fn list(index: usize) -> ListId {
    id(["residents", "mayors"][index])
}

fn cadence(index: usize) -> CadenceId {
    id(CADENCES[index])
}

fn source(index: usize) -> SourceId {
    id(SOURCES[index])
}

fn address(person: usize) -> EmailAddress {
    id(&format!("person{person}@example.org"))
}

fn preferences(wish: &Wish) -> Preferences {
    let mut words: Vec<(String, String)> = wish
        .words
        .iter()
        .map(|word| (phrase_key(WORDS[*word]).unwrap(), WORDS[*word].to_owned()))
        .collect();
    words.sort();
    Preferences {
        cadence: cadence(wish.cadence),
        topics: wish.topics.iter().map(|topic| id(TOPICS[*topic])).collect(),
        places: wish.places.iter().map(|place| id(PLACES[*place])).collect(),
        language: if wish.english { Language::En } else { Language::It },
        words,
    }
}

fn rhythm(cadence: &str, hour: u32) -> (Rhythm, String) {
    match cadence {
        "immediate" => (Rhythm::Immediate, "immediate".to_owned()),
        "daily" => (Rhythm::Daily { hour }, format!("0 0 {hour} * * *")),
        _ => (Rhythm::Weekly { hour, day: Weekday::Mon }, format!("0 0 {hour} * * Mon")),
    }
}

fn classification(
    topics: &[usize],
    places: &[usize],
    deadline: Option<NaiveDate>,
) -> Classification {
    Classification {
        topics: topics
            .iter()
            .map(|topic| TopicMatch { id: id(TOPICS[*topic]), score: 1.0, evidence: vec![] })
            .collect(),
        places: places
            .iter()
            .map(|place| PlaceMatch { id: id(PLACES[*place]), evidence: vec![] })
            .collect(),
        deadline,
        ..Classification::default()
    }
}

impl<'a> World<'a> {
    /// Two lists, the second with approval, each with three cadences; and three sources.
    async fn found(&mut self) -> Result<(), banditore::store::StoreError> {
        let mut tx = self.ground.store.write().await?;
        for name in SOURCES {
            let url = format!("https://{name}.example.org/rss");
            tx.upsert_source(&id(name), &url, "{}", false).await?;
        }
        for index in 0..LISTS {
            let approval = index == 1;
            tx.upsert_list(&support::list_row(&list(index), approval), self.now).await?;
            self.naive.approval.insert(list(index), approval);
        }
        for carried in [Some(0), Some(1)] {
            tx.carry(&list(0), carried.map(|index: usize| SOURCES[index])).await?;
            self.naive.carrying.insert((list(0), carried.map(source)));
        }
        tx.carry(&list(1), None).await?;
        self.naive.carrying.insert((list(1), None));
        for index in 0..LISTS {
            for name in CADENCES {
                let (rhythm, schedule) = rhythm(name, 7);
                tx.upsert_cadence(&list(index), &id(name), &schedule, self.now).await?;
                self.naive.offer((list(index), id(name)), rhythm, self.now);
            }
        }
        tx.commit().await
    }

    async fn happens(&mut self, event: &Event) -> Differs {
        match event {
            Event::Publish { .. } => self.publish(event).await,
            Event::Withdraw { item } => self.withdraw(*item).await,
            Event::CorrectTopic { item, topic, is } => {
                self.correct(*item, CorrectionSubject::Topic(id(TOPICS[*topic])), *is).await
            }
            Event::CorrectPlace { item, place, is } => {
                self.correct(*item, CorrectionSubject::Place(id(PLACES[*place])), *is).await
            }
            Event::Carry { list, source } => self.carry(*list, *source, true).await,
            Event::CarryNoMore { list, source } => self.carry(*list, *source, false).await,
            Event::Reschedule { list, hour } => self.reschedule(*list, *hour).await,
            Event::Join { person, list, wish } => self.join(*person, *list, wish).await,
            Event::Pause { person, list, paused } => self.pause(*person, *list, *paused).await,
            Event::Leave { person, list } => self.leave(*person, *list).await,
            Event::Suppress { person } => self.suppress(*person, true).await,
            Event::Unsuppress { person } => self.suppress(*person, false).await,
            Event::Erase { person } => self.erase(*person).await,
            Event::Wait { seconds } => {
                self.now = self.now.plus(*seconds);
                Ok(())
            }
            Event::Open { list: of, cadence: name } => self.open((list(*of), cadence(*name))).await,
            Event::Step { list: of, cadence: name } => {
                self.step(&(list(*of), cadence(*name))).await.map(|_| ())
            }
            Event::Crash { list: of, cadence: name } => {
                self.plannings.remove(&(list(*of), cadence(*name)));
                Ok(())
            }
            Event::Rival { list: of, cadence: name } => {
                self.rival((list(*of), cadence(*name))).await
            }
            Event::Finish { list: of, cadence: name } => {
                self.finish(&(list(*of), cadence(*name))).await
            }
            Event::Approve { list: of, cadence: name } => {
                self.decide(&(list(*of), cadence(*name)), true, false).await
            }
            Event::Refuse { list: of, cadence: name, give_back } => {
                self.decide(&(list(*of), cadence(*name)), false, *give_back).await
            }
            Event::Deliver { nth } => self.deliver(*nth).await,
            Event::DropMessage { nth } => self.drop_message(*nth).await,
            Event::DropPins { list: of, cadence: name, limit } => {
                self.drop_pins(&(list(*of), cadence(*name)), *limit).await
            }
        }
    }

    async fn publish(&mut self, event: &Event) -> Differs {
        let Event::Publish {
            source: from,
            topics,
            places,
            words,
            days_left,
            days_published,
            corrects,
        } = event
        else {
            return Ok(());
        };
        let words: Vec<String> = words.iter().map(|word| WORDS[*word].to_owned()).collect();
        let deadline = days_left.map(|days| self.naive.day(self.now) + Days::new(days));
        let mut publication_end =
            days_published.map(|days| self.naive.day(self.now) + Days::new(days));
        let found = classification(topics, places, deadline);
        let corrected = corrects.filter(|_| !self.items.is_empty());
        let corrected = corrected.map(|nth| nth % self.items.len());
        let mut tx = self.ground.store.write().await.map_err(said)?;
        let text = support::revision(&format!("Avviso: {}", words.join(" e ")));
        let (index, reason) = match corrected {
            Some(index) => {
                let (item, _, revision) = &mut self.items[index];
                *revision += 1;
                tx.revise_item(*item, *revision, "", &text, self.now).await.map_err(said)?;
                // The end of its publication is the item's, and stays.
                let first = self.naive.entries.iter().find(|entry| entry.item == *item);
                publication_end = first.and_then(|entry| entry.publication_end);
                (index, EntryReason::Correction)
            }
            None => {
                let identity = self.items.len().to_string();
                let source = source(*from);
                let item = tx.insert_item(&source, &identity, "", false, &text, self.now).await;
                let item = item.map_err(said)?;
                if publication_end.is_some() {
                    tx.set_act(item, publication_end, "{}").await.map_err(said)?;
                }
                self.items.push((item, source, 1));
                (self.items.len() - 1, EntryReason::New)
            }
        };
        let (item, source, revision) = self.items[index].clone();
        let version = support::rules().version();
        let json = serde_json::to_string(&found).map_err(said)?;
        tx.insert_match(item, revision, version, &json, self.now).await.map_err(said)?;
        let entry = [(item, revision, source.clone())];
        tx.append_entries(&entry, reason, self.now).await.map_err(said)?;
        tx.commit().await.map_err(said)?;
        self.naive.publish(Entry {
            position: 0,
            item,
            source,
            topics: found.topics.into_iter().map(|topic| topic.id).collect(),
            places: found.places.into_iter().map(|place| place.id).collect(),
            words,
            deadline,
            publication_end,
            placed_at: self.now,
            carried_by: Default::default(),
        });
        Ok(())
    }

    async fn withdraw(&mut self, nth: usize) -> Differs {
        let Some(index) = nth.checked_rem(self.items.len()) else { return Ok(()) };
        let item = self.items[index].0;
        let sql = format!("UPDATE item SET withdrawn_at = {} WHERE id = {item}", self.now.0);
        self.ground.run(&sql).await;
        self.naive.withdrawn.insert(item);
        Ok(())
    }

    async fn correct(&mut self, nth: usize, subject: CorrectionSubject, is: bool) -> Differs {
        let Some(index) = nth.checked_rem(self.items.len()) else { return Ok(()) };
        let item = self.items[index].0;
        let mut tx = self.ground.store.write().await.map_err(said)?;
        let kept = editions::correct(&mut tx, item, &subject, is, "Maria", self.now).await;
        kept.map_err(said)?;
        tx.commit().await.map_err(said)?;
        self.naive.corrections.push((item, subject, is));
        Ok(())
    }

    async fn carry(&mut self, index: usize, from: Option<usize>, carried: bool) -> Differs {
        let row = (list(index), from.map(source));
        let name = from.map(|index| SOURCES[index]);
        let held = self.naive.carrying.contains(&row);
        if held == carried {
            return Ok(());
        }
        let mut tx = self.ground.store.write().await.map_err(said)?;
        if carried {
            tx.carry(&row.0, name).await.map_err(said)?;
            self.naive.carrying.insert(row);
        } else {
            tx.carry_no_more(&row.0, name).await.map_err(said)?;
            self.naive.carrying.remove(&row);
        }
        tx.commit().await.map_err(said)
    }

    async fn reschedule(&mut self, index: usize, hour: u32) -> Differs {
        let mut tx = self.ground.store.write().await.map_err(said)?;
        for name in ["daily", "weekly"] {
            let (rhythm, schedule) = rhythm(name, hour);
            let cadence = id(name);
            tx.upsert_cadence(&list(index), &cadence, &schedule, self.now).await.map_err(said)?;
            self.naive.offer((list(index), cadence), rhythm, self.now);
        }
        tx.commit().await.map_err(said)
    }

    async fn join(&mut self, person: usize, index: usize, wish: &Wish) -> Differs {
        let (wanted, list) = (preferences(wish), list(index));
        let mut tx = self.ground.store.write().await.map_err(said)?;
        let address = address(person).to_string();
        let joined = support::join(&mut tx, &address, &list, &wanted, self.now).await;
        tx.commit().await.map_err(said)?;
        let expected = self.naive.join(person, &list, &wanted);
        if joined == audience::Joined::New {
            let held = self.held(person, &list).await?.ok_or("no subscription was made")?;
            self.subscriptions.push(held.id);
        }
        same("joining", &joined, &expected)
    }

    /// The subscription of a person who is still known.
    async fn held(
        &self,
        person: usize,
        list: &ListId,
    ) -> Result<Option<StoredSubscription>, String> {
        let mut tx = self.ground.store.read().await.map_err(said)?;
        let hash = self.keys.address_hash(&address(person));
        let Some(subject) = tx.subject_by_hash(&hash).await.map_err(said)? else {
            return Ok(None);
        };
        tx.subscription(subject.id, list).await.map_err(said)
    }

    async fn pause(&mut self, person: usize, index: usize, paused: bool) -> Differs {
        let list = list(index);
        let (held, card) = (self.held(person, &list).await?, self.naive.card(person, &list));
        let (Some(held), Some(card)) = (held, card) else { return Ok(()) };
        // Pages offer neither to who has left, nor the same again.
        if self.naive.cards[card].state == State::Ended || paused == (held.state == PAUSED) {
            return Ok(());
        }
        let mut tx = self.ground.store.write().await.map_err(said)?;
        let held = tx.hold_subscription(held.id).await.map_err(said)?;
        audience::pause(&mut tx, &held.unwrap(), paused, self.now).await.map_err(said)?;
        tx.commit().await.map_err(said)?;
        self.naive.set_state(card, if paused { State::Paused } else { State::Active });
        Ok(())
    }

    async fn leave(&mut self, person: usize, index: usize) -> Differs {
        let list = list(index);
        let Some(card) = self.naive.card(person, &list) else { return Ok(()) };
        let subscription = self.subscriptions[card];
        audience::leave(&self.ground.store, subscription, self.now).await.map_err(said)?;
        self.naive.set_state(card, State::Ended);
        Ok(())
    }

    async fn suppress(&mut self, person: usize, suppressed: bool) -> Differs {
        let address = address(person);
        let mut tx = self.ground.store.write().await.map_err(said)?;
        if suppressed {
            let done = audience::suppress(&mut tx, &self.keys, &address, "test", self.now).await;
            done.map_err(said)?;
            self.naive.suppressed.insert(person);
        } else {
            let done = audience::unsuppress(&mut tx, &self.keys, &address, "test", self.now).await;
            done.map_err(said)?;
            self.naive.suppressed.remove(&person);
        }
        tx.commit().await.map_err(said)
    }

    async fn erase(&mut self, person: usize) -> Differs {
        let address = address(person);
        let mut tx = self.ground.store.write().await.map_err(said)?;
        let erased = audience::erase(&mut tx, &self.keys, &address, "asked", self.now);
        erased.await.map_err(said)?;
        tx.commit().await.map_err(said)?;
        self.naive.erase(person);
        Ok(())
    }
}

mod explaining;
mod planning;

/// Fails where two things that should be the same are not.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, planner: &T, naive: &T) -> Differs {
    if planner == naive {
        Ok(())
    } else {
        Err(format!("{what}: the house says {planner:?}, the naive model {naive:?}"))
    }
}
