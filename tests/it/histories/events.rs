//! What can happen, by chance.

use crate::support::Random;

pub const PEOPLE: usize = 6;
pub const LISTS: usize = 2;
pub const CADENCES: [&str; 3] = ["immediate", "daily", "weekly"];
pub const SOURCES: [&str; 3] = ["comune", "scuole", "consorzio"];
pub const TOPICS: [&str; 3] = ["waste", "school", "works"];
pub const PLACES: [&str; 2] = ["crema", "quintano"];
pub const WORDS: [&str; 2] = ["mensa", "piscina"];
/// How long nothing happens, in seconds: from a moment to a long weekend.
const PAUSES: [i64; 8] = [60, 301, 301, 301, 6 * 3_600, 24 * 3_600, 24 * 3_600, 4 * 24 * 3_600];

/// How much news comes in a rush.
const RUSH_ROUNDS: usize = 9;

/// What somebody asks for. Numbers name what stands in the lists above.
#[derive(Clone, Debug)]
pub struct Wish {
    pub cadence: usize,
    pub topics: Vec<usize>,
    pub places: Vec<usize>,
    pub words: Vec<usize>,
    pub english: bool,
}

/// A thing that happens. Numbers that name what may not exist are taken as far as there is some.
#[derive(Clone, Debug)]
pub enum Event {
    Publish {
        source: usize,
        topics: Vec<usize>,
        places: Vec<usize>,
        words: Vec<usize>,
        days_left: Option<u64>,
        days_published: Option<u64>,
        /// A correction of one of the items so far.
        corrects: Option<usize>,
    },
    Withdraw {
        item: usize,
    },
    /// A named person says that an item has a topic, or has not.
    CorrectTopic {
        item: usize,
        topic: usize,
        is: bool,
    },
    /// The same of a place.
    CorrectPlace {
        item: usize,
        place: usize,
        is: bool,
    },
    Carry {
        list: usize,
        source: Option<usize>,
    },
    CarryNoMore {
        list: usize,
        source: Option<usize>,
    },
    Reschedule {
        list: usize,
        hour: u32,
    },
    Join {
        person: usize,
        list: usize,
        wish: Wish,
    },
    Pause {
        person: usize,
        list: usize,
        paused: bool,
    },
    Leave {
        person: usize,
        list: usize,
    },
    Suppress {
        person: usize,
    },
    Unsuppress {
        person: usize,
    },
    Erase {
        person: usize,
    },
    Wait {
        seconds: i64,
    },
    /// Opens the edition of a cadence if it is due, or takes up the one that is being planned.
    Open {
        list: usize,
        cadence: usize,
    },
    /// Decides a chunk.
    Step {
        list: usize,
        cadence: usize,
    },
    /// The planning process is killed.
    Crash {
        list: usize,
        cadence: usize,
    },
    /// Another process plans the same edition: it takes the next steps, until it is the other's
    /// turn.
    Rival {
        list: usize,
        cadence: usize,
    },
    /// Decides chunks to the end, and drops the pins that are needless then.
    Finish {
        list: usize,
        cadence: usize,
    },
    Approve {
        list: usize,
        cadence: usize,
    },
    Refuse {
        list: usize,
        cadence: usize,
        give_back: bool,
    },
    /// The relay takes a message.
    Deliver {
        nth: usize,
    },
    /// A named person drops one message that waits.
    DropMessage {
        nth: usize,
    },
    /// Pins that say what the cut says are dropped.
    DropPins {
        list: usize,
        cadence: usize,
        limit: i64,
    },
}

#[derive(Clone, Debug)]
pub struct History {
    /// The most subscriptions of a chunk.
    pub chunk: i64,
    pub events: Vec<Event>,
}

impl History {
    pub fn random(seed: u64, length: usize) -> Self {
        let mut random = Random::seeded(seed);
        let chunk = 1 + random.below(3) as i64;
        // Half of what happens, happens around one cadence, so that things meet.
        let favourite = (random.below(LISTS), *random.pick(&[0, 0, 0, 1, 1, 2]));
        let chance = &mut Chance { random, favourite };
        let mut events: Vec<Event> = (0..PEOPLE).map(|_| chance.join()).collect();
        let rush = chance.random.one_in(4).then(|| chance.random.below(length));
        for number in 0..length {
            events.push(chance.event());
            if rush == Some(number) {
                chance.rush(&mut events);
            }
        }
        Self { chunk, events }
    }
}

struct Chance {
    random: Random,
    favourite: (usize, usize),
}

impl Chance {
    fn numbers(&mut self, below: usize, times: usize) -> Vec<usize> {
        self.random.some(&(0..below).collect::<Vec<_>>(), times)
    }

    /// A list and one of its cadences.
    fn place(&mut self) -> (usize, usize) {
        if self.random.one_in(2) {
            return self.favourite;
        }
        (self.random.below(LISTS), self.random.below(CADENCES.len()))
    }

    fn join(&mut self) -> Event {
        let (list, cadence) = self.place();
        let wish = Wish {
            cadence,
            topics: self.numbers(TOPICS.len(), 3),
            places: self.numbers(PLACES.len(), 4),
            words: self.numbers(WORDS.len(), 3),
            english: self.random.one_in(8),
        };
        Event::Join { person: self.random.below(PEOPLE), list, wish }
    }

    fn publish(&mut self) -> Event {
        Event::Publish {
            source: self.random.below(SOURCES.len()),
            topics: self.numbers(TOPICS.len(), 2),
            places: self.numbers(PLACES.len(), 3),
            words: self.numbers(WORDS.len(), 4),
            days_left: self.random.one_in(4).then(|| self.random.below(4) as u64),
            days_published: self.random.one_in(6).then(|| self.random.below(5) as u64),
            corrects: self.random.one_in(4).then(|| self.random.below(8)),
        }
    }

    fn event(&mut self) -> Event {
        let (list, cadence) = self.place();
        let random = &mut self.random;
        let person = random.below(PEOPLE);
        match random.below(100) {
            0..16 => self.publish(),
            16..28 => self.join(),
            28..34 => Event::Pause { person, list, paused: random.one_in(2) },
            34..40 => self.rare(person, list),
            40..52 => Event::Wait { seconds: *random.pick(&PAUSES) },
            52..64 => Event::Open { list, cadence },
            64..80 => Event::Step { list, cadence },
            80 => Event::Crash { list, cadence },
            81 => Event::Rival { list, cadence },
            82..88 => Event::Finish { list, cadence },
            88..93 => Event::Approve { list: 1, cadence },
            93..95 => Event::Refuse { list: 1, cadence, give_back: !random.one_in(3) },
            95 => Event::DropMessage { nth: random.below(4) },
            96..98 => Event::Deliver { nth: random.below(16) },
            _ => Event::DropPins { list, cadence, limit: *random.pick(&[1, 2, 1_000]) },
        }
    }

    /// So much news in a day that some have had enough.
    fn rush(&mut self, events: &mut Vec<Event>) {
        let (list, cadence) = (self.favourite.0, 0);
        for _ in 0..RUSH_ROUNDS {
            events.extend([self.publish(), Event::Wait { seconds: 301 }]);
            events.push(Event::Open { list, cadence });
            if self.random.one_in(4) {
                events.extend([Event::Step { list, cadence }, self.event()]);
            }
            events.push(Event::Finish { list, cadence });
            if !self.random.one_in(8) {
                events.push(Event::Approve { list, cadence });
            }
        }
    }

    fn rare(&mut self, person: usize, list: usize) -> Event {
        let random = &mut self.random;
        let source = (!random.one_in(4)).then(|| random.below(SOURCES.len()));
        match random.below(13) {
            0 => Event::Leave { person, list },
            1 => Event::Suppress { person },
            2 => Event::Unsuppress { person },
            3 => Event::Erase { person },
            4 | 5 => Event::Withdraw { item: random.below(8) },
            6 => Event::Carry { list, source },
            7 => Event::CarryNoMore { list, source },
            9 | 10 => {
                let (item, topic) = (random.below(8), random.below(TOPICS.len()));
                Event::CorrectTopic { item, topic, is: random.one_in(2) }
            }
            11 | 12 => {
                let (item, place) = (random.below(8), random.below(PLACES.len()));
                Event::CorrectPlace { item, place, is: random.one_in(2) }
            }
            _ => Event::Reschedule { list, hour: *random.pick(&[7, 12, 18]) },
        }
    }
}
