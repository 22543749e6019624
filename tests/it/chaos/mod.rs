//! Three daemons on one PostgreSQL, killed, frozen past their leases, stopped and started, while
//! news comes and people come, change and go. Afterwards a model that knows each person alone says
//! who should have been told what; the ledger balances; no mail is lost, and each that came twice
//! is named in doubt.
//!
//! `BANDITORE_CHAOS_SECONDS` makes it longer, `BANDITORE_CHAOS_KILLS` demands so many kills in each
//! stage, `BANDITORE_CHAOS_DOWN_SECONDS` stops the database for so long in the middle, for which
//! the server must be this test's alone. `scripts/soak daemons` does all three.

mod fleet;
mod people;
mod relay;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use banditore::audience::Keys;
use banditore::config::Secret;
use banditore::delivery::{audit, message_id};
use banditore::store::Store;

use crate::program::{Office, SECRET};
use crate::support::{Beside, ZONE, id};
use fleet::{Fleet, Histogram, STAGES};
use people::People;

const DAEMONS: usize = 3;
const SECONDS: u64 = 30;
/// How long everything may take to come to rest at the end.
const REST: Duration = Duration::from_secs(90);
const LEASE: Duration = Duration::from_secs(2);
/// Items that the feed has at most; older ones fall out of it.
const FEED_ITEMS: usize = 60;
/// Looks at frozen daemons for a stage that is still wanted, for each kill.
const LOOKS: usize = 60;
const SENDER: &str = "Comune <news@example.org>";

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn configuration() -> String {
    format!(
        r#"lease = "{}s"

[[source]]
id = "news"
url = "file:news.xml"

[[list]]
id = "residents"
name = "Notizie"
from = "{SENDER}"
cadences = {{ daily = "*/4 * * * * *", weekly = "*/9 * * * * *" }}
"#,
        LEASE.as_secs()
    )
}

struct News<'a> {
    office: &'a Office,
    published: usize,
}

impl News<'_> {
    fn write(&mut self, more: usize) {
        const SUBJECTS: [&str; 7] = [
            "Bando di gara per lavori",
            "Iscrizioni alla scuola dell'infanzia",
            "Raccolta dei rifiuti",
            "Torneo di calcio",
            "Avviso alla cittadinanza",
            "Orari della piscina",
            "Menu della mensa",
        ];
        const PLACES: [&str; 3] = ["", " a Crema", " a Quintano"];
        self.published += more;
        let item = |number: usize| {
            let (subject, place) = (SUBJECTS[number % 7], PLACES[(number / 7) % 3]);
            format!(
                "<item><guid>n{number}</guid><title>{subject}{place}, {number}</title>\
                 <link>https://www.example.it/{number}</link></item>"
            )
        };
        let first = self.published.saturating_sub(FEED_ITEMS) + 1;
        let items: String = (first..=self.published).map(item).collect();
        let feed = format!(
            "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Notizie</title>\
             <link>https://www.example.it/</link><description>Prova</description>{items}\
             </channel></rss>"
        );
        self.office.write("news.new", feed);
        std::fs::rename(self.office.file("news.new"), self.office.file("news.xml")).unwrap();
    }
}

/// Whether all may go on, and whether the database is there.
struct Weather {
    end: Instant,
    down: Cell<bool>,
    /// How many are in the middle of something with the database.
    busy: Cell<usize>,
}

impl Weather {
    fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    /// Does something with the database, which waits to go away until it is done.
    async fn under<T>(&self, work: impl Future<Output = T>) -> T {
        self.busy.set(self.busy.get() + 1);
        let done = work.await;
        self.busy.set(self.busy.get() - 1);
        done
    }
}

async fn pause(ms: std::ops::Range<u64>) {
    tokio::time::sleep(Duration::from_millis(rand::random_range(ms))).await;
}

/// Makes the source due, at once and for whoever comes first.
const DUE: &str = "UPDATE source SET next_poll_at = 0, claimed_until = NULL;
    SELECT pg_notify('banditore', 'ingest')";

async fn news_comes(news: &mut News<'_>, url: &str, weather: &Weather) {
    let mut database: Option<Beside> = None;
    while weather.goes_on() {
        pause(100..700).await;
        if weather.down.get() {
            database = None;
            continue;
        }
        news.write(rand::random_range(1..4));
        let makes_due = async {
            let connection = match &mut database {
                Some(connection) => connection,
                None => database.insert(Beside::to(url).await),
            };
            connection.run(DUE).await;
        };
        weather.under(makes_due).await;
    }
}

async fn people_change(people: &mut People, weather: &Weather) {
    while weather.goes_on() {
        pause(20..250).await;
        if weather.down.get() {
            continue;
        }
        if rand::random_bool(0.15) {
            weather.under(people.joins()).await.unwrap();
        } else {
            weather.under(people.something_changes()).await.unwrap();
        }
    }
}

/// What was done to the daemons.
#[derive(Default)]
struct Done {
    kills: usize,
    freezes: usize,
    stops: usize,
    met: Histogram,
}

async fn faults_happen(fleet: &mut Fleet<'_>, weather: &Weather, wanted: usize) -> Done {
    let mut done = Done::default();
    let mut down = setting("BANDITORE_CHAOS_DOWN_SECONDS");
    let middle = Instant::now() + weather.end.saturating_duration_since(Instant::now()) / 2;
    while weather.goes_on() {
        pause(50..400).await;
        if let Some(seconds) = down.take_if(|_| Instant::now() > middle) {
            the_database_goes_away(fleet, weather, seconds).await;
        }
        let number = rand::random_range(0..fleet.daemons.len());
        match rand::random_range(0..12) {
            0 => {
                fleet.freeze(number);
                tokio::time::sleep(LEASE + Duration::from_millis(1_500)).await;
                fleet.thaw(number);
                done.freezes += 1;
            }
            1 => {
                fleet.stop(number);
                fleet.launch(number);
                done.stops += 1;
            }
            _ => {
                let met = worth_a_kill(fleet, number, &done.met, wanted).await;
                fleet.kill(number);
                done.kills += 1;
                for stage in met {
                    *done.met.entry(stage).or_default() += 1;
                }
                pause(0..200).await;
                fleet.launch(number);
            }
        }
        fleet.all_live();
    }
    done
}

/// Freezes a daemon where it is in the middle of something that no kill has met often enough yet,
/// or else wherever it is at last.
async fn worth_a_kill(
    fleet: &mut Fleet<'_>,
    number: usize,
    so_far: &Histogram,
    wanted: usize,
) -> Vec<&'static str> {
    let rare = |stage: &&str| so_far.get(stage).copied().unwrap_or(0) < wanted;
    let mut met = fleet.freeze_and_look(number).await;
    let all_met = STAGES.iter().all(|stage| !rare(stage));
    for _ in 0..LOOKS {
        if all_met || met.iter().any(rare) {
            break;
        }
        fleet.thaw(number);
        pause(1..40).await;
        met = fleet.freeze_and_look(number).await;
    }
    met
}

/// Stops the database for a while. No daemon ends for that, and all go on by themselves.
async fn the_database_goes_away(fleet: &mut Fleet<'_>, weather: &Weather, seconds: u64) {
    let ctl = std::env::var("BANDITORE_TEST_POSTGRES_CTL").expect("scripts/with-postgres sets it");
    let control = |what: &str| {
        assert!(Command::new(&ctl).arg(what).status().unwrap().success(), "{what}");
    };
    // One that starts without a database ends and says so; these have started.
    fleet.all_ready().await;
    weather.down.set(true);
    while weather.busy.get() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    control("stop");
    for _ in 0..seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        fleet.all_live();
    }
    control("start");
    fleet.forget_database();
    fleet.all_ready().await;
    weather.down.set(false);
    println!("the database was away for {seconds} s");
}

/// Waits until everything that came was told and delivered.
async fn comes_to_rest(url: &str, published: usize) {
    let mut database = Beside::to(url).await;
    let sql = format!(
        "SELECT concat_ws(', ',
            (SELECT 'items ' || count(*) FROM item HAVING count(*) <> {published}),
            (SELECT 'not planned ' || count(*) FROM cadence c, stream_head h
                WHERE c.last_cut <> h.position OR c.edition_id IS NOT NULL HAVING count(*) > 0),
            (SELECT string_agg(state || ' ' || n, ', ') FROM (SELECT state, count(*) AS n
                FROM message WHERE state NOT IN ('accepted', 'cancelled') GROUP BY state) m))"
    );
    let end = Instant::now() + REST;
    loop {
        let open = database.texts(&sql).await.concat();
        if open.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "not at rest: {open}");
        database.run(DUE).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn three_daemons_on_postgres_lose_nothing_whatever_happens_to_them() {
    let office = Office::on_postgres(1, &configuration()).await;
    let url = office.database_url();
    let mut news = News { office: &office, published: 0 };
    news.write(1);
    office.run(&["migrate"]).done();
    office.run(&["source", "poll"]).done();
    let store = Store::open(&url, Default::default()).await.unwrap();
    let keys = Keys::new(Secret::new(SECRET).unwrap());
    let mut people = People::new(store.clone(), keys.clone(), id("residents"));
    for _ in 0..40 {
        people.joins().await.unwrap();
    }
    let mut fleet = Fleet::start(&office, DAEMONS);
    let seconds = setting("BANDITORE_CHAOS_SECONDS").unwrap_or(SECONDS);
    let end = Instant::now() + Duration::from_secs(seconds);
    let weather = Weather { end, down: Cell::new(false), busy: Cell::new(0) };
    let wanted = setting("BANDITORE_CHAOS_KILLS").map_or(0, |kills| kills as usize);
    let (_, _, done) = tokio::join!(
        news_comes(&mut news, &url, &weather),
        people_change(&mut people, &weather),
        faults_happen(&mut fleet, &weather, wanted),
    );
    comes_to_rest(&url, news.published).await;
    for number in 0..DAEMONS {
        fleet.stop(number);
    }
    let messages = people.check(&ruleset(&office)).await;
    let doubles = compare(&store, &keys, &messages, &fleet.taken()).await;
    let Done { kills, freezes, stops, met } = done;
    println!(
        "{seconds} s: {} items, {} people, {} changes, {} messages; {kills} kills, {freezes} \
         freezes past the lease, {stops} stops; {doubles} came twice, each named",
        news.published,
        people.everybody.len(),
        people.changes,
        messages.len(),
    );
    for stage in STAGES {
        let times = met.get(stage).copied().unwrap_or(0);
        println!("  {times:>4} kills  {stage}");
        assert!(times >= wanted, "only {times} kills met: {stage}");
    }
}

fn ruleset(office: &Office) -> String {
    let url = office.database_url();
    let versions = crate::support::database::blocking(async {
        Beside::to(&url).await.texts("SELECT DISTINCT ruleset FROM edition").await
    });
    let [version] = &versions[..] else { panic!("one version of the rules, not {versions:?}") };
    version.clone()
}

/// The ledger against the relays': every accepted mail is there, none that is not; what came more
/// than once is named in doubt as often. Gives how many came more than once.
async fn compare(
    store: &Store,
    keys: &Keys,
    messages: &std::collections::BTreeSet<(i64, bool)>,
    taken: &BTreeMap<String, usize>,
) -> usize {
    let audit = audit(store, keys, None, ZONE).await.unwrap();
    assert!(audit.balanced, "{audit:?}");
    let mut tx = store.read().await.unwrap();
    let (mut doubles, mut known) = (0, 0);
    for (id, accepted) in messages {
        let message = tx.message(*id).await.unwrap().unwrap();
        let message_id = message_id(keys, message.edition_id, message.subscriber_id, SENDER);
        let times = taken.get(&message_id).copied().unwrap_or(0);
        let attempts = tx.attempts(*id).await.unwrap();
        let doubt = |outcome: &Option<String>| outcome.as_deref() == Some("in_doubt");
        let doubts = attempts.iter().filter(|attempt| doubt(&attempt.outcome)).count();
        known += usize::from(times > 0);
        let least = usize::from(*accepted);
        assert!(times >= least, "message {id} is accepted, and no relay has it: {attempts:?}");
        assert!(times <= least + doubts, "message {id} came {times} times: {attempts:?}");
        doubles += usize::from(times > 1);
    }
    assert_eq!(known, taken.len(), "a relay has mail that the ledger does not know");
    doubles
}
