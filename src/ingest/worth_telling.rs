//! Which changes of a text are worth telling again: a deadline that moved, a word that says that
//! the office itself corrects, puts off or takes back. All others are silent.

use chrono::NaiveDate;

use super::significant;
use crate::store::NewRevision;

/// Words by which an office says that what it published is not so any more, each as the beginning
/// of words; those of one line say the same.
const NOTICES: &[&[&str]] = &[
    &["rettific", "errata corrige", "errata"],
    &["annull", "revoc", "ritirat"],
    &["prorog", "differit", "differiment"],
    &["rinvi", "posticip", "spostat"],
    &["sospes", "sospension"],
    &["riapert", "riapriamo"],
];
/// How much longer than the former text a text may be for its words to count, as a factor: a teaser
/// that became the whole text says many words for the first time.
const GROWTH_MAX: usize = 2;
/// Further characters that it may have.
const GROWTH_CHARS: usize = 200;

/// Whether a change is worth telling again. The deadlines are those that the rules find in each.
/// A deadline counts on the day on which it ends.
pub fn is_worth_telling(
    before: &NewRevision,
    after: &NewRevision,
    deadlines: (Option<NaiveDate>, Option<NaiveDate>),
    today: NaiveDate,
) -> bool {
    let moved = matches!(deadlines, (Some(old), Some(new)) if old != new && new >= today);
    moved || says_so(before, after)
}

fn says_so(before: &NewRevision, after: &NewRevision) -> bool {
    let titles = (significant::folded(&before.title), significant::folded(&after.title));
    let texts = (significant::words(&before.summary), significant::words(&after.summary));
    let teaser = texts.1.len() > GROWTH_MAX * texts.0.len() + GROWTH_CHARS;
    NOTICES.iter().any(|words| {
        // A title says it for everybody; in the text it counts where nothing had said it.
        let title = says(&titles.0, words);
        (!title && says(&titles.1, words))
            || (!teaser && !title && !says(&texts.0, words) && says(&texts.1, words))
    })
}

/// Whether a word of a folded text begins with one of these.
fn says(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| {
        let mut starts = text.match_indices(word).map(|(at, _)| at);
        starts.any(|at| at == 0 || text.as_bytes()[at - 1] == b' ')
    })
}
