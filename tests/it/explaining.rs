//! Explaining says what the naive model says.

use crate::histories;

/// Histories after which everything is explained.
const HISTORIES: u64 = 40;

#[test]
fn explaining_agrees_with_the_naive_model_for_every_pair_of_person_and_item() {
    let mut pairs = 0;
    for seed in 1..=HISTORIES {
        pairs += histories::explained(seed).unwrap_or_else(|why| panic!("{why}"));
    }
    assert!(pairs >= 1_000, "only {pairs} pairs");
}
