//! What `check` says of the sender's records, from a resolver on loopback.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, MX, PTR, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use serde_json::Value;
use tokio::net::UdpSocket;

use banditore::delivery::dkim::{Algorithm, PrivateKey, Signer, new_key};
use banditore::delivery::dns::{Asked, DnsFinding, Names, Standing, look};

use crate::program::{Office, SECRET};

type Place = (String, RecordType);
type Zone = BTreeMap<Place, Vec<RData>>;
/// What is wrong, where, with which values, and what is said of it.
type Case<'a> = (&'a str, Place, Vec<RData>, &'a str);

/// A resolver that knows a zone and nothing else; one without a zone says nothing at all.
async fn resolver(zone: Option<Zone>) -> SocketAddr {
    let socket = Arc::new(UdpSocket::bind(("127.0.0.1", 0)).await.unwrap());
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut octets = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut octets).await {
            let Some(zone) = &zone else { continue };
            let question = Message::from_vec(&octets[..length]).unwrap();
            let query = question.queries[0].clone();
            let name = query.name().to_ascii().to_ascii_lowercase();
            let name = name.trim_end_matches('.').to_owned();
            let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
            answer.metadata.message_type = MessageType::Response;
            answer.metadata.recursion_available = true;
            answer.add_query(query.clone());
            let values = zone.get(&(name, query.query_type()));
            for value in values.into_iter().flatten() {
                let record = Record::from_rdata(query.name().clone(), 60, value.clone());
                answer.add_answer(record);
            }
            if values.is_none() {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    });
    address
}

fn texts(texts: &[&str]) -> Vec<RData> {
    let text = |text: &&str| {
        let strings = text.as_bytes().chunks(255);
        RData::TXT(TXT::new(strings.map(|s| String::from_utf8_lossy(s).into_owned()).collect()))
    };
    texts.iter().map(text).collect()
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn signer() -> Signer {
    let mut signer = Signer::of("comune-prova.it");
    for (selector, algorithm) in [("r", Algorithm::Rsa), ("e", Algorithm::Ed25519)] {
        let key = PrivateKey::from_pem(&new_key(algorithm).unwrap(), algorithm).unwrap();
        signer = signer.with(selector, key);
    }
    signer
}

fn asked(signer: &Signer) -> Asked {
    Asked {
        senders: vec!["comune-prova.it".to_owned()],
        bounces: None,
        signer: signer.domain().to_owned(),
        keys: signer.records(),
        relay: Some("posta.comune-prova.it".to_owned()),
    }
}

/// A zone in which everything is as it should be.
fn good(signer: &Signer) -> Zone {
    let domain = "comune-prova.it";
    let mx = RData::MX(MX::new(10, name("posta.comune-prova.it.")));
    let pointer = RData::PTR(PTR(name("posta.comune-prova.it.")));
    let mut zone = Zone::from([
        ((domain.to_owned(), RecordType::TXT), texts(&["altro", "v=spf1 mx -all"])),
        ((domain.to_owned(), RecordType::MX), vec![mx]),
        ((format!("_dmarc.{domain}"), RecordType::TXT), texts(&["v=DMARC1; p=none"])),
        ((format!("posta.{domain}"), RecordType::A), vec![RData::A(A::new(8, 8, 8, 8))]),
        (("8.8.8.8.in-addr.arpa".to_owned(), RecordType::PTR), vec![pointer]),
    ]);
    for (name, text) in signer.records() {
        zone.insert((name, RecordType::TXT), texts(&[&text]));
    }
    zone
}

async fn findings(zone: Zone, asked: &Asked) -> Vec<DnsFinding> {
    let names = Names::new(Some(resolver(Some(zone)).await)).unwrap();
    look(&names, asked).await
}

#[tokio::test]
async fn records_that_are_as_they_should_be_are_said_to_be() {
    let signer = signer();
    let found = findings(good(&signer), &asked(&signer)).await;
    let kinds: Vec<&str> = found.iter().map(|one| one.what).collect();
    assert_eq!(kinds, ["SPF", "DMARC", "MX", "DKIM", "DKIM", "reverse name"]);
    assert!(found.iter().all(|one| one.standing == Standing::Good), "{found:#?}");
}

#[tokio::test]
async fn of_each_record_that_is_missing_it_is_said_what_to_publish() {
    let signer = signer();
    let found = findings(Zone::new(), &asked(&signer)).await;
    let hint = |what: &str| &found.iter().find(|one| one.what == what).unwrap().hint;
    assert!(
        hint("SPF").contains("comune-prova.it. IN TXT \"v=spf1 a:posta.comune-prova.it ~all\"")
    );
    assert!(hint("DMARC").contains("_dmarc.comune-prova.it. IN TXT \"v=DMARC1; p=none;"));
    assert!(hint("DKIM").contains("r._domainkey.comune-prova.it. IN TXT ("));
    assert!(hint("MX").contains("MX record"));
    let bad = found.iter().filter(|one| one.standing == Standing::Bad).count();
    assert_eq!(bad, 5, "{found:#?}");
}

#[tokio::test]
async fn each_way_in_which_a_record_can_be_wrong_is_told() {
    let signer = signer();
    let other = self::signer();
    let domain = "comune-prova.it".to_owned();
    let key = signer.records()[0].0.clone();
    let of_other = other.records()[0].1.clone();
    let elsewhere = RData::PTR(PTR(name("altro.example.")));
    let none = RData::MX(MX::new(0, Name::root()));
    let cases: [Case<'_>; 7] = [
        ("SPF", (domain.clone(), RecordType::TXT), texts(&["v=spf1 +all"]), "everybody"),
        ("SPF", (domain.clone(), RecordType::TXT), texts(&["v=spf1 mx", "v=spf1 a"]), "2 SPF"),
        ("DKIM", (key.clone(), RecordType::TXT), texts(&[&of_other]), "another key"),
        ("DKIM", (key, RecordType::TXT), texts(&[&of_other, "v=DKIM1"]), "2 records"),
        ("MX", (domain.clone(), RecordType::MX), vec![none], "no mail"),
        ("DMARC", (format!("_dmarc.{domain}"), RecordType::TXT), texts(&["v=DMARC2"]), "no DMARC"),
        (
            "reverse name",
            ("8.8.8.8.in-addr.arpa".to_owned(), RecordType::PTR),
            vec![elsewhere],
            "which is not it",
        ),
    ];
    for (what, place, values, said) in cases {
        let mut zone = good(&signer);
        zone.insert(place, values);
        let found = findings(zone, &asked(&signer)).await;
        let bad: Vec<_> = found.iter().filter(|one| one.standing == Standing::Bad).collect();
        let [one] = bad[..] else { panic!("{what}: {found:#?}") };
        assert_eq!(one.what, what);
        assert!(one.detail.contains(said), "{said} in {one:?}");
        assert!(!one.hint.is_empty());
    }
}

#[tokio::test]
async fn a_key_of_another_domain_does_not_count_and_a_policy_above_does() {
    let signer = signer();
    let mut zone = good(&signer);
    for (name, value) in [("altro-prova.it", "v=spf1 a"), ("news.comune-prova.it", "v=spf1 a")] {
        zone.insert((name.to_owned(), RecordType::TXT), texts(&[value]));
        let mx = RData::MX(MX::new(10, self::name("posta.comune-prova.it.")));
        zone.insert((name.to_owned(), RecordType::MX), vec![mx]);
    }
    let sending = |sender: &str| Asked { senders: vec![sender.to_owned()], ..asked(&signer) };
    let found = findings(zone.clone(), &sending("news.comune-prova.it")).await;
    assert!(found.iter().all(|one| one.standing == Standing::Good), "{found:#?}");
    let found = findings(zone, &sending("altro-prova.it")).await;
    let bad: Vec<&str> = found
        .iter()
        .filter(|one| one.standing == Standing::Bad)
        .map(|one| one.detail.as_str())
        .collect();
    assert_eq!(bad.len(), 2, "{found:#?}");
    assert!(bad[0].contains("comune-prova.it signs for altro-prova.it"), "{bad:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_asks_the_resolver_of_the_settings_and_fails_with_what_to_publish() {
    let signer = signer();
    let mut zone = good(&signer);
    zone.remove(&("comune-prova.it".to_owned(), RecordType::TXT));
    let resolver = resolver(Some(zone)).await;
    let office = Office::empty();
    office.write(
        "banditore.toml",
        format!(
            "[site]\nname = \"Comune\"\npublic_url = \"https://news.comune-prova.it\"\n\
             secret = \"{SECRET}\"\n[dns]\nresolver = \"{resolver}\"\n\
             [smtp]\nhost = \"127.0.0.1\"\nport = 1\ntls = \"none\"\n\
             [[list]]\nid = \"residents\"\nname = \"Notizie\"\nfrom = \"news@comune-prova.it\"\n\
             cadences = {{ daily = \"0 0 7 * * *\" }}\n"
        ),
    );
    let ran = tokio::task::spawn_blocking(move || office.run(&["check", "--json"])).await.unwrap();
    assert_eq!(ran.code, 1);
    let checks = ran.json()["checks"].as_array().unwrap().clone();
    let check = |what: &str| -> Value {
        checks.iter().find(|check| check["what"] == what).unwrap_or(&Value::Null).clone()
    };
    assert_eq!(check("SPF")["ok"], false);
    assert!(check("SPF")["hint"].as_str().unwrap().contains("v=spf1 a mx ~all"));
    assert_eq!((&check("DMARC")["ok"], &check("MX")["ok"]), (&true.into(), &true.into()));
    assert!(check("DKIM")["detail"].as_str().unwrap().contains("not signed here"));
}
