//! What an item is about.
use banditore::topics::*;

#[test]
fn probe() {
    let rules = Rules::compile(
        &std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/topics.toml"))
            .unwrap(),
        &std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/places.toml"))
            .unwrap(),
    );
    let rules = match rules {
        Ok(r) => r,
        Err(e) => panic!("{e} -- {}", e.hint),
    };
    let file = std::env::var("PROBE").unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let (ev, pred) = evaluate(&rules, &text).unwrap();
    println!("{}", serde_json::to_string(&ev).unwrap());
    for p in pred {
        println!("{}", serde_json::to_string(&p).unwrap());
    }
}
