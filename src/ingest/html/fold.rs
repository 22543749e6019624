//! Texts with their white space folded, and escaped.

/// Writes a text so that HTML reads it back as it is.
pub(in crate::ingest) fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
}

/// How much of the end of a text that is cut may go so that no word is cut, in octets.
pub(in crate::ingest) const WORD_OCTETS_MAX: usize = 60;

/// A text being folded: one space between words, one line break between blocks, bounded.
pub(in crate::ingest) struct Folded {
    text: String,
    chars: usize,
    chars_max: usize,
    gap: Option<char>,
    cut: bool,
}

impl Folded {
    pub fn new(chars_max: usize) -> Self {
        Self { text: String::new(), chars: 0, chars_max, gap: None, cut: false }
    }

    /// Adds a text; its white space and control characters become gaps between words.
    pub fn push(&mut self, text: &str) {
        for c in text.chars() {
            if c.is_whitespace() || c.is_control() {
                self.gap = self.gap.or(Some(' '));
            } else if !is_invisible(c) {
                self.add(c);
            }
        }
    }

    /// Ends the line, if there is anything on it.
    pub fn line(&mut self) {
        self.gap = Some('\n');
    }

    fn add(&mut self, c: char) {
        if self.cut {
            return;
        }
        let gap = self.gap.take().filter(|_| !self.text.is_empty());
        if self.chars + 1 + usize::from(gap.is_some()) > self.chars_max {
            self.cut = true;
            return;
        }
        self.chars += 1 + usize::from(gap.is_some());
        self.text.extend(gap);
        self.text.push(c);
    }

    /// Whether something did not fit.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The text; where it was cut, an ellipsis takes the place of the last word, or of the rest of
    /// it if it is longer than [`WORD_OCTETS_MAX`].
    pub fn done(mut self) -> String {
        if self.cut {
            let word = self.text.rfind(char::is_whitespace);
            if let Some(word) = word.filter(|word| self.text.len() - word <= WORD_OCTETS_MAX) {
                self.text.truncate(word);
            }
            self.text.push('…');
        }
        self.text
    }
}

/// Characters without a glyph that reorder or hide what people read (Unicode UAX 9, soft hyphen,
/// zero widths); joiners stay, as scripts need them.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}
