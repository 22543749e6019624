//! Stretches of words, and which of them lie inside others.

/// A stretch of the words of [`super::analysis::Analysis`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    /// Its first word.
    pub first: usize,
    /// The word after its last.
    pub end: usize,
}

/// A set of stretches that can be asked, in logarithmic time, whether one contains another.
#[derive(Debug, Default)]
pub(crate) struct Cover {
    /// Sorted by their first word, each with the furthest end up to there.
    parts: Vec<(usize, usize)>,
}

impl Cover {
    /// Takes the stretches.
    pub fn new(mut parts: Vec<Part>) -> Self {
        parts.sort_unstable();
        let mut furthest = 0;
        let parts = parts
            .into_iter()
            .map(|part| {
                furthest = furthest.max(part.end);
                (part.first, furthest)
            })
            .collect();
        Self { parts }
    }

    /// Whether one of the stretches contains this one, or is it.
    pub fn contains(&self, part: Part) -> bool {
        let begun = self.parts.partition_point(|&(first, _)| first <= part.first);
        begun > 0 && self.parts[begun - 1].1 >= part.end
    }
}
