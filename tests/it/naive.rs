//! Who gets what, as one would do it with a card for each subscriber: no groups, no chunks, no
//! cursors that say something of others, no database. The planner must agree with it.

use std::collections::{BTreeMap, BTreeSet};

use banditore::audience::{Joined, Preferences};
use banditore::editions::Verdict;
use banditore::model::{CadenceId, ListId, PlaceId, SourceId, Timestamp, TopicId};
use banditore::store::MessageState;
use banditore::topics::CorrectionSubject;
use chrono::{Datelike, Days, NaiveDate, NaiveTime, TimeZone, Weekday};
use chrono_tz::Tz;

/// An item's entry, and what it says.
#[derive(Clone, Debug)]
pub struct Entry {
    pub position: i64,
    pub item: i64,
    pub source: SourceId,
    pub topics: Vec<TopicId>,
    pub places: Vec<PlaceId>,
    /// The words that somebody may follow and that stand in it.
    pub words: Vec<String>,
    pub deadline: Option<NaiveDate>,
    /// The last day of its publication in an albo.
    pub publication_end: Option<NaiveDate>,
    pub placed_at: Timestamp,
    /// The lists that carried its source when it was placed.
    pub carried_by: BTreeSet<ListId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    Paused,
    Ended,
}

/// One subscriber on one list.
#[derive(Clone, Debug)]
pub struct Card {
    pub person: usize,
    /// Whether the person was erased, so that nobody knows whose card it was.
    pub erased: bool,
    pub list: ListId,
    pub wanted: Preferences,
    pub state: State,
    /// Every entry up to this one was told, or was not wanted when it was time.
    pub told: i64,
}

pub type Cadence = (ListId, CadenceId);

/// When a cadence is due.
#[derive(Clone, Copy, Debug)]
pub enum Rhythm {
    Immediate,
    Daily { hour: u32 },
    Weekly { hour: u32, day: Weekday },
}

#[derive(Clone, Debug)]
pub struct Sheet {
    pub rhythm: Rhythm,
    /// Where its last edition stopped.
    pub cut: i64,
    pub last_slot: Timestamp,
    left_out: Option<Timestamp>,
    /// The edition that is being planned or waits.
    pub busy: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct Edition {
    pub cadence: Cadence,
    pub slot: Timestamp,
    pub cut: i64,
    /// How many corrections there were when it was opened.
    pub corrections: usize,
    pub state: &'static str,
    pub considered: i64,
    pub empty: i64,
    pub suppressed: i64,
}

/// What somebody was told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    pub edition: usize,
    pub card: usize,
    pub after: i64,
    pub entries: Vec<i64>,
    pub language: &'static str,
    pub state: MessageState,
}

/// How many messages of an immediate cadence one gets in a day.
const A_DAY_MAX: usize = 5;
/// How long an immediate cadence gathers, in seconds.
const GATHERING: i64 = 300;

pub struct Naive {
    zone: Tz,
    pub head: i64,
    pub entries: Vec<Entry>,
    pub withdrawn: BTreeSet<i64>,
    /// What persons have said, in order: which item has which topic or place, or has it not.
    pub corrections: Vec<(i64, CorrectionSubject, bool)>,
    pub approval: BTreeMap<ListId, bool>,
    pub carrying: BTreeSet<(ListId, Option<SourceId>)>,
    pub sheets: BTreeMap<Cadence, Sheet>,
    pub cards: Vec<Card>,
    pub suppressed: BTreeSet<usize>,
    pub editions: Vec<Edition>,
    pub messages: Vec<Message>,
}

impl Naive {
    pub fn new(zone: Tz) -> Self {
        Self {
            zone,
            head: 0,
            entries: Vec::new(),
            withdrawn: BTreeSet::new(),
            corrections: Vec::new(),
            approval: BTreeMap::new(),
            carrying: BTreeSet::new(),
            sheets: BTreeMap::new(),
            cards: Vec::new(),
            suppressed: BTreeSet::new(),
            editions: Vec::new(),
            messages: Vec::new(),
        }
    }

    pub fn offer(&mut self, cadence: Cadence, rhythm: Rhythm, now: Timestamp) {
        let cut = self.head;
        let sheet = Sheet { rhythm, cut, last_slot: now, left_out: None, busy: None };
        self.sheets.entry(cadence).and_modify(|sheet| sheet.rhythm = rhythm).or_insert(sheet);
    }

    /// Places an entry at the end of the stream; position and carriers are filled in here.
    pub fn publish(&mut self, mut entry: Entry) {
        self.head += 1;
        entry.position = self.head;
        entry.carried_by = self
            .carrying
            .iter()
            .filter(|(_, source)| source.as_ref().is_none_or(|source| *source == entry.source))
            .map(|(list, _)| list.clone())
            .collect();
        self.entries.push(entry);
    }

    /// The card of a person who is still known.
    pub fn card(&self, person: usize, list: &ListId) -> Option<usize> {
        self.cards
            .iter()
            .position(|card| card.person == person && !card.erased && card.list == *list)
    }

    pub fn join(&mut self, person: usize, list: &ListId, wanted: &Preferences) -> Joined {
        if self.suppressed.contains(&person) {
            return Joined::Suppressed;
        }
        let Some(index) = self.card(person, list) else {
            self.cards.push(Card {
                person,
                erased: false,
                list: list.clone(),
                wanted: wanted.clone(),
                state: State::Active,
                told: self.head,
            });
            return Joined::New;
        };
        let card = &self.cards[index];
        if card.state == State::Ended {
            return Joined::Left;
        }
        if card.wanted == *wanted {
            return Joined::Unchanged;
        }
        if card.wanted.cadence != wanted.cadence {
            self.take_back(index);
        }
        self.cards[index].wanted = wanted.clone();
        Joined::Changed
    }

    pub fn set_state(&mut self, card: usize, state: State) {
        if self.cards[card].state != state {
            self.take_back(card);
            self.cards[card].state = state;
        }
    }

    /// A message that still waits for approval is not sent, and what it told is open again.
    fn take_back(&mut self, card: usize) {
        for message in &mut self.messages {
            if message.card == card && message.state == MessageState::Waiting {
                message.state = MessageState::Cancelled;
                let told = &mut self.cards[card].told;
                *told = message.after.min(*told);
            }
        }
    }

    pub fn erase(&mut self, person: usize) {
        self.suppressed.insert(person);
        for index in 0..self.cards.len() {
            if self.cards[index].person == person && !self.cards[index].erased {
                self.set_state(index, State::Ended);
                self.cards[index].erased = true;
            }
        }
    }

    /// The slot of a cadence that is due, where it has no edition under way.
    pub fn due(&self, cadence: &Cadence, now: Timestamp) -> Option<Timestamp> {
        let sheet = &self.sheets[cadence];
        if sheet.busy.is_some() {
            return None;
        }
        let slot = match sheet.rhythm {
            Rhythm::Immediate => {
                let first = self.entries.iter().find(|entry| entry.position > sheet.cut);
                let gathered = first.map(|entry| entry.placed_at.plus(GATHERING));
                let midnight = sheet.left_out.map(|at| self.midnight(self.day(at) + Days::new(1)));
                let at = gathered.into_iter().chain(midnight).filter(|at| *at <= now).min()?;
                return Some(at.max(sheet.last_slot.plus(1)));
            }
            Rhythm::Daily { hour } => self.newest(now, hour, None),
            Rhythm::Weekly { hour, day } => self.newest(now, hour, Some(day)),
        };
        (slot > sheet.last_slot).then_some(slot)
    }

    /// The newest instant at an hour, of a weekday if one is given. These hours are in no gap.
    fn newest(&self, now: Timestamp, hour: u32, day: Option<Weekday>) -> Timestamp {
        let today = self.day(now);
        (0..8)
            .map(|back| today - Days::new(back))
            .filter(|date| day.is_none_or(|day| date.weekday() == day))
            .map(|date| self.local(date, NaiveTime::from_hms_opt(hour, 0, 0).unwrap()))
            .find(|at| *at <= now)
            .unwrap()
    }

    pub fn day(&self, at: Timestamp) -> NaiveDate {
        at.in_zone(self.zone).date_naive()
    }

    fn midnight(&self, date: NaiveDate) -> Timestamp {
        self.local(date, NaiveTime::MIN)
    }

    fn local(&self, date: NaiveDate, time: NaiveTime) -> Timestamp {
        self.zone.from_local_datetime(&date.and_time(time)).single().unwrap().into()
    }

    pub fn open(&mut self, cadence: &Cadence, slot: Timestamp) -> usize {
        let index = self.editions.len();
        self.editions.push(Edition {
            cadence: cadence.clone(),
            slot,
            cut: self.head,
            corrections: self.corrections.len(),
            state: "planning",
            considered: 0,
            empty: 0,
            suppressed: 0,
        });
        self.sheets.get_mut(cadence).unwrap().busy = Some(index);
        index
    }

    /// Whether an edition has still to decide for this card.
    pub fn undecided(&self, edition: usize, index: usize) -> bool {
        let (card, of) = (&self.cards[index], &self.editions[edition]);
        let here = card.list == of.cadence.0 && card.wanted.cadence == of.cadence.1;
        let told_by_it = self.messages.iter().any(|m| m.edition == edition && m.card == index);
        here && card.state == State::Active
            && card.told < of.cut
            && !told_by_it
            && !self.has_enough(edition, index)
    }

    /// Whether the card has had its messages of the day.
    fn has_enough(&self, edition: usize, card: usize) -> bool {
        let of = &self.editions[edition];
        let today = self.midnight(self.day(of.slot));
        let had = self.messages.iter().filter(|message| {
            let other = &self.editions[message.edition];
            message.card == card
                && message.edition != edition
                && other.cadence == of.cadence
                && other.slot >= today
                && message.state != MessageState::Cancelled
        });
        of.cadence.1.as_str() == "immediate" && had.count() >= A_DAY_MAX
    }

    /// The edition decides for one card, now.
    pub fn decide(&mut self, edition: usize, index: usize) {
        let entries = self.wanted(edition, index);
        let of = &mut self.editions[edition];
        let card = &mut self.cards[index];
        of.considered += 1;
        if self.suppressed.contains(&card.person) {
            of.suppressed += 1;
        } else if entries.is_empty() {
            of.empty += 1;
        } else {
            let waits = self.approval[&card.list];
            self.messages.push(Message {
                edition,
                card: index,
                after: card.told,
                entries,
                language: card.wanted.language.tag(),
                state: if waits { MessageState::Waiting } else { MessageState::Queued },
            });
        }
        card.told = of.cut;
    }

    /// What a card wants of an edition, by position.
    fn wanted(&self, edition: usize, index: usize) -> Vec<i64> {
        let (card, of) = (&self.cards[index], &self.editions[edition]);
        let today = self.day(of.slot);
        let window = |entry: &&Entry| card.told < entry.position && entry.position <= of.cut;
        let inside: Vec<&Entry> = self.entries.iter().filter(window).collect();
        inside
            .iter()
            .filter(|entry| {
                let later =
                    |other: &&&Entry| other.item == entry.item && other.position > entry.position;
                let known = self.corrected(entry, of.corrections);
                inside.iter().find(later).is_none() && self.wants(card, &known, today)
            })
            .map(|entry| entry.position)
            .collect()
    }

    /// An entry as it is after the first corrections, so many of them.
    fn corrected(&self, entry: &Entry, corrections: usize) -> Entry {
        let mut entry = entry.clone();
        for (item, subject, is) in self.corrections.iter().take(corrections) {
            if *item != entry.item {
                continue;
            }
            match subject {
                CorrectionSubject::Topic(id) => {
                    entry.topics.retain(|topic| topic != id);
                    entry.topics.extend(is.then(|| id.clone()));
                }
                CorrectionSubject::Place(id) => {
                    entry.places.retain(|place| place != id);
                    entry.places.extend(is.then(|| id.clone()));
                }
            }
        }
        entry
    }

    /// How many corrections count for an entry that a card has not been told.
    fn corrections_for(&self, card: &Card, entry: &Entry) -> usize {
        let sheet = &self.sheets[&(card.list.clone(), card.wanted.cadence.clone())];
        let planned = sheet.busy.map(|edition| &self.editions[edition]);
        let planned = planned.filter(|of| of.state == "planning" && of.cut >= entry.position);
        planned.map_or(self.corrections.len(), |of| of.corrections)
    }

    /// Whether a card wants an entry on a day.
    pub fn wants(&self, card: &Card, entry: &Entry, today: NaiveDate) -> bool {
        let wanted = &card.wanted;
        let topics = wanted.topics.is_empty()
            || wanted.topics.iter().any(|topic| entry.topics.contains(topic));
        let places = wanted.places.is_empty()
            || entry.places.is_empty()
            || wanted.places.iter().any(|place| entry.places.contains(place));
        let word = wanted.words.iter().any(|(_, phrase)| entry.words.contains(phrase));
        (word || topics && places)
            && entry.carried_by.contains(&card.list)
            && !self.withdrawn.contains(&entry.item)
            && entry.deadline.is_none_or(|deadline| deadline >= today)
            && entry.publication_end.is_none_or(|end| end >= today)
    }

    /// The edition is planned. Gives the cards that it should have decided and did not.
    pub fn finish(&mut self, edition: usize) -> Vec<usize> {
        let missed = (0..self.cards.len()).filter(|card| self.undecided(edition, *card)).collect();
        let of = &mut self.editions[edition];
        let waits = self.approval[&of.cadence.0];
        of.state = if waits { "waiting" } else { "open" };
        let behind = self.cards.iter().any(|card| {
            card.list == of.cadence.0
                && card.wanted.cadence == of.cadence.1
                && card.state == State::Active
                && card.told < of.cut
        });
        let sheet = self.sheets.get_mut(&of.cadence).unwrap();
        sheet.cut = of.cut;
        sheet.last_slot = of.slot;
        sheet.left_out = behind.then_some(of.slot);
        sheet.busy = waits.then_some(edition);
        missed
    }

    /// The edition that waits is approved, or refused: dropped, or given back.
    pub fn end_waiting(&mut self, edition: usize, approved: bool, give_back: bool) {
        let of = &mut self.editions[edition];
        of.state = if approved { "open" } else { "refused" };
        self.sheets.get_mut(&of.cadence).unwrap().busy = None;
        for message in &mut self.messages {
            if message.edition != edition || message.state != MessageState::Waiting {
                continue;
            }
            message.state = match (approved, give_back) {
                (true, _) => MessageState::Queued,
                (false, true) => MessageState::Cancelled,
                (false, false) => MessageState::Dropped,
            };
            if !approved && give_back {
                let told = &mut self.cards[message.card].told;
                *told = message.after.min(*told);
            }
        }
    }

    /// What becomes of an item for a person, over all cards.
    pub fn verdict(&self, person: usize, item: i64, now: Timestamp) -> Verdict {
        let mut verdict = Verdict::NotTold;
        for index in 0..self.cards.len() {
            let card = &self.cards[index];
            if card.person != person || card.erased {
                continue;
            }
            match self.verdict_of(index, item, now) {
                Verdict::Told => return Verdict::Told,
                Verdict::WillBeTold => verdict = Verdict::WillBeTold,
                Verdict::NotTold | Verdict::Archived => {}
            }
        }
        verdict
    }

    fn verdict_of(&self, index: usize, item: i64, now: Timestamp) -> Verdict {
        let card = &self.cards[index];
        let is_item = |position: &i64| {
            self.entries.iter().any(|entry| entry.position == *position && entry.item == item)
        };
        let messages: Vec<&Message> = self
            .messages
            .iter()
            .filter(|message| message.card == index && message.entries.iter().any(is_item))
            .collect();
        if messages.iter().any(|message| message.state == MessageState::Accepted) {
            return Verdict::Told;
        }
        if card.state == State::Ended || self.suppressed.contains(&card.person) {
            return Verdict::NotTold;
        }
        let coming = [MessageState::Waiting, MessageState::Queued];
        let newest = self.entries.iter().rfind(|entry| entry.item == item);
        let wanted = newest.is_some_and(|entry| {
            let known = self.corrected(entry, self.corrections_for(card, entry));
            entry.position > card.told && self.wants(card, &known, self.next_day(card, now))
        });
        if wanted || messages.iter().any(|message| coming.contains(&message.state)) {
            return Verdict::WillBeTold;
        }
        Verdict::NotTold
    }

    /// The day of the slot at which a card is looked at next.
    fn next_day(&self, card: &Card, now: Timestamp) -> NaiveDate {
        let sheet = &self.sheets[&(card.list.clone(), card.wanted.cadence.clone())];
        let planned = sheet.busy.filter(|edition| self.editions[*edition].state == "planning");
        if let Some(edition) = planned {
            return self.day(self.editions[edition].slot);
        }
        let (hour, weekday) = match sheet.rhythm {
            Rhythm::Immediate => return self.day(now),
            Rhythm::Daily { hour } => (hour, None),
            Rhythm::Weekly { hour, day } => (hour, Some(day)),
        };
        let newest = self.newest(now, hour, weekday);
        let time = NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
        let mut date = self.day(newest);
        while self.local(date, time) <= sheet.last_slot.max(newest.plus(-1)) {
            date = date + Days::new(if weekday.is_some() { 7 } else { 1 });
        }
        date
    }
}
