//! `kill -9` while mail goes out. The real program delivers to a real server that keeps a ledger of
//! its own; afterwards the two ledgers are compared: nobody was missed, nobody got two of a message
//! that is not named in doubt, and never more of them than connections were open at the kills.
//!
//! `BANDITORE_KILLS` sets the number of kills (ten where it is absent): they come in rounds of ten,
//! each over 2,000 messages. The stages in which they fell are printed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use banditore::store::{MessageRow, MessageState};
use serde_json::Value;

use crate::delivery::sink::{Sink, Taken};
use crate::delivery::support::{House, Plan};

const MESSAGES: usize = 2_000;
const KILLS_A_ROUND: usize = 10;
const CONNECTIONS: usize = 10;
/// How long the server waits at most before it replies to a dot.
const REPLY_DELAY_MS_MAX: u64 = 60;
/// A kill falls within this time after the first connection of its run.
const KILL_MS_MAX: u64 = 350;
/// One kill of so many falls within that time after the start of the program instead.
const EARLY_KILL_OF: usize = 5;

#[test]
fn killed_under_resend_nobody_is_missed_and_each_double_is_named() {
    let mut figures = Figures::default();
    for round in 0..rounds() {
        let scene = Scene::prepare("resend");
        let doubles = scene.kill_and_finish(&mut figures, round);
        assert_eq!(scene.counts("accepted"), MESSAGES);
        assert_eq!(scene.received().len(), MESSAGES, "somebody was missed");
        let named = scene.named_doubts();
        assert!(doubles.iter().all(|double| named.contains(double)), "{doubles:?} in {named:?}");
    }
    figures.print("resend");
    assert!(figures.doubled <= figures.open, "{figures:?}");
}

#[test]
fn killed_under_hold_nobody_gets_two_and_each_one_held_is_named() {
    let mut figures = Figures::default();
    for round in 0..rounds() {
        let scene = Scene::prepare("hold");
        let doubles = scene.kill_and_finish(&mut figures, round);
        assert_eq!(doubles, BTreeSet::new(), "somebody got two");
        let held: BTreeSet<String> = scene.message_ids("held");
        figures.held += held.len();
        assert_eq!(scene.counts("accepted") + held.len(), MESSAGES);
        assert_eq!(held, scene.named_doubts());
        let received = scene.received();
        for id in scene.message_ids("accepted") {
            assert!(received.contains(&id), "{id} is accepted, and the server never had it");
        }
        // A person decides: all of them again. Now nobody is missed.
        scene.resend_held();
        assert_eq!(scene.received().len(), MESSAGES, "somebody was missed");
    }
    figures.print("hold");
}

/// How many rounds of ten kills.
fn rounds() -> usize {
    let asked = std::env::var("BANDITORE_KILLS").ok();
    let kills = asked.map_or(KILLS_A_ROUND, |kills| kills.parse().expect("BANDITORE_KILLS=n"));
    kills.div_ceil(KILLS_A_ROUND).max(1)
}

/// What the kills met, over all rounds.
#[derive(Debug, Default)]
struct Figures {
    kills: usize,
    /// Connections open at the kills, summed.
    open: usize,
    /// Messages that came twice.
    doubled: usize,
    held: usize,
    /// Messages under way at the kills, by what the ledger and the server knew of them.
    messages: BTreeMap<&'static str, usize>,
    /// Kills that met at least one such message.
    met: BTreeMap<&'static str, usize>,
}

const NOTHING: &str = "none: nothing under way";
const CLAIMED: &str = "claimed: no content begun";
const BEFORE_DOT: &str = "content: begun, the server never had the dot";
const AFTER_DOT: &str = "content: the server has it, no reply went out";
const AFTER_REPLY: &str = "content: the server has it and replied, nobody wrote it down";

impl Figures {
    fn meet(&mut self, under_way: &[&'static str]) {
        self.kills += 1;
        let met: BTreeSet<&str> = under_way.iter().copied().collect();
        if met.is_empty() {
            *self.met.entry(NOTHING).or_default() += 1;
        }
        for stage in met {
            *self.met.entry(stage).or_default() += 1;
        }
        for stage in under_way {
            *self.messages.entry(stage).or_default() += 1;
        }
    }

    fn print(&self, policy: &str) {
        println!("{policy}: {} kills, {} open connections in all", self.kills, self.open);
        for stage in [NOTHING, CLAIMED, BEFORE_DOT, AFTER_DOT, AFTER_REPLY] {
            let count = |map: &BTreeMap<&str, usize>| map.get(stage).copied().unwrap_or(0);
            let (kills, messages) = (count(&self.met), count(&self.messages));
            println!("  {kills:>4} kills, {messages:>5} messages  {stage}");
        }
        println!("  doubled {}, held {}, missed 0", self.doubled, self.held);
    }
}

/// A house with 2,000 messages to go out, and the server they go to.
struct Scene {
    house: House,
    sink: Sink,
    runtime: tokio::runtime::Runtime,
    /// The Message-ID of each message.
    ids: BTreeMap<i64, String>,
    /// Attempts that a kill has left, as (message, number): a run that is killed before it has
    /// taken them over leaves them as they are.
    left: RefCell<BTreeSet<(i64, i64)>>,
}

impl Scene {
    fn prepare(in_doubt: &'static str) -> Self {
        let sink = Sink::start(REPLY_DELAY_MS_MAX);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let port = sink.port;
        let people = MESSAGES;
        let connections = CONNECTIONS;
        let plan = Plan { port, people, in_doubt, connections, ..Plan::default() };
        let house = runtime.block_on(plan.build());
        let messages = runtime.block_on(house.messages());
        let ids = messages.iter().map(|message| (message.id, house.message_id(message)));
        Self { ids: ids.collect(), left: RefCell::default(), house, sink, runtime }
    }

    /// Kills ten times, lets the last run end; gives the Message-IDs that came twice.
    fn kill_and_finish(&self, figures: &mut Figures, round: usize) -> BTreeSet<String> {
        for kill in 0..KILLS_A_ROUND {
            let early = (round * KILLS_A_ROUND + kill) % EARLY_KILL_OF == EARLY_KILL_OF - 1;
            self.kill_once(figures, early);
        }
        self.sink.delay(1);
        self.deliver_until_empty();
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for taken in self.sink.settled() {
            *times.entry(taken.message_id).or_default() += 1;
        }
        assert!(times.values().all(|times| *times <= 1 + KILLS_A_ROUND));
        figures.doubled += times.values().map(|times| times - 1).sum::<usize>();
        let doubled = times.into_iter().filter(|(_, times)| *times > 1);
        doubled.map(|(message_id, _)| message_id).collect()
    }

    fn kill_once(&self, figures: &mut Figures, early: bool) {
        let (opened, broken) = (self.sink.opened(), self.sink.broken());
        let before = self.sink.settled().len();
        let mut child = self.start();
        if !early {
            self.sink.wait_for_connection(opened, || gone(&mut child));
        }
        let moment = rand::random_range(0..KILL_MS_MAX * 1000);
        std::thread::sleep(Duration::from_micros(moment));
        let killed = Instant::now();
        // On Unix this is SIGKILL.
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(!status.success(), "there was nothing left to kill");
        let taken = self.sink.settled().split_off(before);
        let open = self.sink.broken() - broken;
        let under_way = self.runtime.block_on(self.under_way(&taken, killed));
        assert!(under_way.len() <= 2 * CONNECTIONS, "{} are under way", under_way.len());
        let in_doubt = under_way.iter().filter(|stage| **stage != CLAIMED).count();
        assert!(in_doubt <= open, "{in_doubt} in doubt, {open} connections");
        figures.open += open;
        figures.meet(&under_way);
    }

    fn start(&self) -> Child {
        let mut command = self.house.command(&["deliver", "--until-empty"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
    }

    /// The messages that the worker just killed has left, each by how far it came.
    async fn under_way(&self, taken: &[Taken], killed: Instant) -> Vec<&'static str> {
        let mut tx = self.house.store().read().await.unwrap();
        let sending = tx.messages_after(0, Some(MessageState::Sending), 10_000).await.unwrap();
        let mut stages = Vec::new();
        for MessageRow { id, .. } in sending {
            let attempts = tx.attempts(id).await.unwrap();
            let attempt = attempts.last().expect("a message under way has an attempt");
            if !self.left.borrow_mut().insert((id, attempt.number)) {
                continue;
            }
            let taken = taken.iter().find(|taken| taken.message_id == self.ids[&id]);
            stages.push(match (attempt.stage.as_str(), taken) {
                ("claimed", None) => CLAIMED,
                ("content", None) => BEFORE_DOT,
                ("content", Some(taken)) if taken.replied.is_some_and(|at| at < killed) => {
                    AFTER_REPLY
                }
                ("content", Some(_)) => AFTER_DOT,
                (stage, taken) => panic!("message {id} is {stage}, and the server has {taken:?}"),
            });
        }
        stages
    }

    fn deliver_until_empty(&self) {
        let mut command = self.house.command(&["deliver", "--until-empty", "--json"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.house.command(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::Deserializer::from_slice(&output.stdout)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap()
    }

    /// What the audit says of the one edition there is. It must balance.
    fn edition(&self) -> Value {
        let audit = self.json(&["audit", "--json"]);
        assert_eq!(audit[0]["balanced"], true, "{audit:?}");
        audit[0]["editions"][0].clone()
    }

    fn counts(&self, state: &str) -> usize {
        usize::try_from(self.edition()["messages"][state].as_u64().unwrap()).unwrap()
    }

    /// The Message-IDs of the messages that the audit names in doubt.
    fn named_doubts(&self) -> BTreeSet<String> {
        let edition = self.edition();
        let doubts = edition["doubts"].as_array().unwrap();
        doubts.iter().map(|doubt| self.ids[&doubt["message"].as_i64().unwrap()].clone()).collect()
    }

    fn message_ids(&self, state: &str) -> BTreeSet<String> {
        let listed = self.json(&["messages", "list", "--state", state, "--json"]);
        listed.iter().map(|message| self.ids[&message["id"].as_i64().unwrap()].clone()).collect()
    }

    fn resend_held(&self) {
        let listed = self.json(&["messages", "list", "--state", "held", "--json"]);
        if listed.is_empty() {
            return;
        }
        let held: Vec<String> = listed.iter().map(|message| message["id"].to_string()).collect();
        let mut command = self.house.command(&["messages", "resend", "--by", "un operatore"]);
        assert!(command.args(held).output().unwrap().status.success());
        self.deliver_until_empty();
    }

    /// The Message-IDs that the server has.
    fn received(&self) -> BTreeSet<String> {
        self.sink.settled().into_iter().map(|taken| taken.message_id).collect()
    }
}

/// Whether a child has ended by itself.
fn gone(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_some()
}
