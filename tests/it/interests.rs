//! The index that finds the profiles an entry concerns agrees with asking each of them.

use banditore::editions::{Candidate, Interests, wants};
use banditore::model::{Language, PlaceId, TopicId};
use banditore::store::{EntryReason, Profile};
use proptest::prelude::*;

const TOPICS: [&str; 5] = ["pnrr", "tenders", "waste", "environment", "jobs"];
const PLACES: [&str; 4] = ["crema", "offanengo", "madignano", "monte-cremasco"];

fn some(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(of, 0..=of.len())
}

fn profile() -> impl Strategy<Value = Profile> {
    (any::<bool>(), some(&TOPICS), some(&PLACES)).prop_map(|(all_topics, topics, places)| Profile {
        all_topics,
        language: Language::It,
        topics: if all_topics { Vec::new() } else { ids(&topics) },
        places: places.iter().map(|place| place.parse::<PlaceId>().unwrap()).collect(),
    })
}

fn ids(topics: &[&str]) -> Vec<TopicId> {
    topics.iter().map(|topic| topic.parse().unwrap()).collect()
}

fn candidate() -> impl Strategy<Value = Candidate> {
    let over = proptest::bool::weighted(0.1);
    (some(&TOPICS), some(&PLACES), over).prop_map(|(topics, places, over)| Candidate {
        position: 1,
        item: 1,
        reason: EntryReason::New,
        source: "comune".parse().unwrap(),
        topics: ids(&topics),
        places: places.iter().map(|place| place.parse().unwrap()).collect(),
        over,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_profiles_that_an_entry_concerns_are_those_that_want_it_when_each_is_asked(
        profiles in proptest::collection::vec(profile(), 0..20),
        candidates in proptest::collection::vec(candidate(), 0..5),
    ) {
        // Ids are not the places in the index.
        let with_ids = || (10_i64..).step_by(3).zip(&profiles);
        let interests = Interests::new(with_ids());
        let mut nothing: Vec<i64> = with_ids().map(|(id, _)| id).collect();
        for candidate in &candidates {
            let asked: Vec<i64> = with_ids()
                .filter(|(_, profile)| wants(profile, &[], candidate).is_some())
                .map(|(id, _)| id)
                .collect();
            prop_assert_eq!(interests.concerned(candidate), asked.clone());
            nothing.retain(|id| !asked.contains(id));
        }
        let mut unconcerned: Vec<i64> =
            interests.unconcerned_by_all(&candidates).into_iter().collect();
        unconcerned.sort_unstable();
        prop_assert_eq!(unconcerned, nothing);
    }
}
