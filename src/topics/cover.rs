//! Stretches of words, and which of them lie inside others.

/// A stretch of the words of [`super::analysis::Analysis`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    /// Its first word.
    pub first: usize,
    /// The word after its last.
    pub end: usize,
}

/// Stretches that say that the words in them mean something else.
#[derive(Debug, Default)]
pub(crate) struct Cover {
    /// Sorted by their first word.
    parts: Vec<Part>,
    /// For each, the furthest end up to it.
    furthest: Vec<usize>,
}

impl Cover {
    /// Takes the stretches.
    pub fn new(mut parts: Vec<Part>) -> Self {
        parts.sort_unstable();
        parts.dedup();
        let furthest = parts
            .iter()
            .scan(0, |furthest, part| {
                *furthest = part.end.max(*furthest);
                Some(*furthest)
            })
            .collect();
        Self { parts, furthest }
    }

    /// Whether a stretch is hidden: one of these contains it, is it, or overlaps it. One that lies
    /// inside it does not hide it, since the longer phrase knows better: `Consulta comunale` says
    /// more than `consulta`.
    pub fn hides(&self, part: Part) -> bool {
        let before = self.parts.partition_point(|hide| hide.first < part.first);
        let reaches_in = before > 0 && self.furthest[before - 1] > part.first;
        reaches_in
            || self.parts[before..]
                .iter()
                .take_while(|hide| hide.first < part.end)
                .any(|hide| hide.end > part.end || *hide == part)
    }
}
