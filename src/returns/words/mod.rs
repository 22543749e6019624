//! The table's second half: what the words of servers say. Codes are used loosely (`550` stands
//! for everything, `5.1.1` for refusals), so words that are clear come before codes.

mod address;
mod mail;

use super::table::Cause;

/// A row of words.
#[derive(Clone, Copy, Debug)]
pub struct WordRow {
    /// What they say.
    pub cause: Cause,
    /// Who writes so.
    pub source: &'static str,
    /// The words, in small letters, single spaces, without the accents that servers leave out.
    pub words: &'static [&'static str],
}

/// The rows in the order in which they are tried. What refuses the mail or its sender comes
/// first: an address is never suppressed for what was said of us, and a text that names several
/// reasons counts as the mildest.
pub fn rows() -> impl Iterator<Item = &'static WordRow> {
    mail::ROWS.iter().chain(&address::ROWS)
}

/// What a text says; none where it says nothing that is known.
pub fn cause_of_words(text: &str) -> Option<Cause> {
    let plain = plain(text);
    let row = rows().find(|row| row.words.iter().any(|words| plain.contains(words)));
    row.map(|row| row.cause)
}

/// A text as the rows have it: small letters, single spaces, plain apostrophes, no accents of
/// Italian. Of links only the host stays: whose list of servers it is says something, its path
/// does not (`/reason/#spam`). Of addresses stays only what stands before their bracket.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let word = match word.split_once("://") {
            Some((_, link)) => link.split('/').next().unwrap_or_default(),
            None if word.contains('@') => word.split_once('<').map_or("", |(before, _)| before),
            None => word,
        };
        if !plain.is_empty() && !word.is_empty() {
            plain.push(' ');
        }
        plain.extend(word.chars().flat_map(char::to_lowercase).map(|c| match c {
            'à' | 'á' => 'a',
            'è' | 'é' => 'e',
            'ì' => 'i',
            'ò' => 'o',
            'ù' => 'u',
            '\u{2018}' | '\u{2019}' | '\u{b4}' | '\u{92}' => '\'',
            c => c,
        }));
    }
    // `e'` is how an accent is written where there are none.
    plain.replace("e' ", "e ")
}
