//! Plain text as it has to be before it may stand in a mail: clean, cut where a reader would pause,
//! folded.

use super::quoted::Hole;

/// The longest title, name or label that is shown, in characters.
pub const TITLE_CHARS_MAX: usize = 300;
/// The longest summary of an entry, in characters.
pub const SUMMARY_CHARS_MAX: usize = 360;
/// The most sentences of a summary.
pub const SUMMARY_SENTENCES_MAX: usize = 3;
/// Where lines of the text part are folded, in characters.
pub const TEXT_LINE_CHARS_MAX: usize = 72;

/// Text of one line: controls and line ends become spaces, white space is folded, and what turns
/// the direction of the text around it (Unicode Annex 9: embeddings, overrides, isolates) is left
/// out. Longer text is cut at a word.
pub fn clean(text: &str, chars_max: usize) -> String {
    // Enough to decide, so that a text of megabytes costs no more than one that fits.
    let enough = chars_max.saturating_mul(4).saturating_add(64);
    let mut line = String::new();
    for character in text.chars().filter(|c| !turns_direction(*c)).take(enough) {
        if character.is_control() || character.is_whitespace() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else {
            line.push(character);
        }
    }
    line.truncate(line.trim_end().len());
    cut_at_word(&line, chars_max)
}

fn turns_direction(character: char) -> bool {
    matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// Cuts at the last word that fits, and says so by an ellipsis; `chars_max` includes it.
pub fn cut_at_word(text: &str, chars_max: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(chars_max) else {
        return text.to_owned();
    };
    let kept = text[..end].char_indices().next_back().map_or("", |(last, _)| &text[..last]);
    let at_word = if text[kept.len()..].starts_with(char::is_whitespace) {
        kept
    } else {
        // A word that alone takes most of the room is cut within it.
        let space = kept.rfind(char::is_whitespace).filter(|space| *space >= kept.len() / 2);
        space.map_or(kept, |space| &kept[..space])
    };
    let trimmed = at_word.trim_end_matches(|c: char| c.is_whitespace() || ",;:-–—(«\"".contains(c));
    format!("{trimmed}…")
}

/// The first sentences of a text, as many as fit the limits; a first sentence that is too long
/// alone is cut at a word. `abbreviations` are words, in lower case and without their last dot,
/// after which a dot ends no sentence.
pub fn summary(text: &str, abbreviations: &[String]) -> String {
    let line = clean(text, SUMMARY_CHARS_MAX * 4);
    if !line.contains(char::is_alphanumeric) {
        return String::new();
    }
    let mut end = 0;
    for (count, stop) in sentence_ends(&line, abbreviations).enumerate() {
        let fits = line[..stop].chars().count() <= SUMMARY_CHARS_MAX;
        if count == SUMMARY_SENTENCES_MAX || !fits {
            break;
        }
        end = stop;
    }
    if end > 0 { line[..end].to_owned() } else { cut_at_word(&line, SUMMARY_CHARS_MAX) }
}

/// The text behind the title, where a text begins by repeating it, as many sites' do.
pub fn without_title<'a>(text: &'a str, title: &str) -> &'a str {
    let mut rest = text.trim_start();
    while let Some(after) = rest.strip_prefix(title).filter(|_| !title.is_empty()) {
        // "Crema" is no repetition in "Cremasco".
        if after.starts_with(char::is_alphanumeric) {
            break;
        }
        rest = after.trim_start_matches(|c: char| c.is_whitespace() || ".:;,-–—".contains(c));
    }
    rest
}

/// The offsets just after each sentence; the end of the text counts as one.
fn sentence_ends<'a>(
    line: &'a str,
    abbreviations: &'a [String],
) -> impl Iterator<Item = usize> + 'a {
    line.char_indices().filter_map(move |(at, character)| {
        let after = at + character.len_utf8();
        if after == line.len() {
            return Some(after);
        }
        let closes = matches!(character, '.' | '!' | '?' | '…')
            || (matches!(character, '»' | '”' | '"' | ')')
                && line[..at].ends_with(['.', '!', '?', '…']));
        let next_starts = line[after..].strip_prefix(' ').and_then(|rest| rest.chars().next());
        let starts = next_starts.is_some_and(|c| !c.is_lowercase() && !",;:)".contains(c));
        (closes && starts && !is_abbreviation(&line[..at], character, abbreviations))
            .then_some(after)
    })
}

fn is_abbreviation(before: &str, stop: char, abbreviations: &[String]) -> bool {
    if stop != '.' {
        return false;
    }
    let from = before
        .rfind([' ', '(', '’', '\'', '"', '«'])
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let word = before[from..].to_lowercase();
    // One letter is an initial ("G. Verdi", "S.p.A."), but a year or a number may end a sentence.
    let last = word.rsplit('.').next().unwrap_or_default();
    (last.chars().count() == 1 && last.chars().all(char::is_alphabetic))
        || abbreviations.iter().any(|known| *known == word || known == last)
}

/// Folds each line at a space; addresses of pages and lines with a hole stay whole.
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        let (content, end) = line.strip_suffix('\n').map_or((line, ""), |rest| (rest, "\n"));
        if stays_whole(content) {
            out.push_str(content);
        } else {
            fold_line(content, &mut out);
        }
        out.push_str(end);
    }
    out
}

fn stays_whole(line: &str) -> bool {
    let holes = [Hole::AddressInText, Hole::TokenInPath].map(|hole| char::from(hole.octet()));
    line.chars().count() <= TEXT_LINE_CHARS_MAX || line.contains(holes)
}

fn fold_line(line: &str, out: &mut String) {
    let mut column = 0;
    for word in line.split(' ') {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > TEXT_LINE_CHARS_MAX {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
}
