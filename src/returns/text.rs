//! Bounces that follow no standard: what people were meant to read. Every mail system lays them
//! out in its own way, but all name the address at the beginning of a line, in a line that says
//! why, or nowhere but in the mail that came back; in this order they are looked for.

use std::ops::Range;

use super::addresses;
use super::fields::Fields;
use super::judge::{Said, judge, reply_in, status_in};
use super::limits::RECIPIENTS_MAX;
use super::mime::Mail;
use super::model::ReturnedRecipient;
use super::original;
use super::sender;
use super::table::Cause;
use super::words::cause_of_words;

/// How the mail that came back is announced, in small letters.
const ORIGINAL_BEGINS: [&str; 24] = [
    "original message follows",
    "this line is a copy of",
    "enclosed is a copy of",
    "this is a copy of",
    "included is a copy of",
    "----- original message",
    "---original message",
    "original message -----",
    "message headers follow",
    "message header follow",
    "headers of the original message",
    "header of the original message",
    "original message header",
    "unsent message follows",
    "returned message ---",
    "text of your message",
    "message text follows",
    "undelivered message follows",
    "returned mail follows",
    "copia del messaggio",
    "testo del messaggio originale",
    "messaggio originale ---",
    "---- messaggio originale",
    "intestazioni del messaggio originale",
];

/// The most lines after an address that are about it.
const ABOUT_LINES_MAX: usize = 30;

/// The text of a bounce: what it says, and the header of the mail that came back.
pub(super) struct Text<'m> {
    pub(super) lines: Vec<&'m str>,
    pub(super) original: Fields,
}

impl<'m> Text<'m> {
    /// What people read of a mail, up to the mail that came back.
    pub(super) fn of(mail: &'m Mail) -> Self {
        let parts = mail.parts.iter().take_while(|part| !part.is_returned());
        let mut lines: Vec<&str> = Vec::new();
        for part in parts.filter(|part| part.is_readable()) {
            lines.extend(part.lines());
        }
        let end = lines.iter().position(|line| begins_original(line));
        let rest = lines.split_off(end.unwrap_or(lines.len()));
        let inline = || {
            let fields = rest.iter().skip_while(|line| !is_field(line)).copied();
            Fields::of_lines(fields.take_while(|line| !line.trim().is_empty()))
        };
        let original = original::header(mail).unwrap_or_else(inline);
        Self { lines, original }
    }

    /// What may be about an address: all of it where it is the only one, else the lines that name
    /// it.
    pub(super) fn about(&self, address: &str, only: bool) -> String {
        if only {
            return self.lines.join("\n");
        }
        let lines = self.lines.iter().filter(|line| line.contains(address));
        lines.take(ABOUT_LINES_MAX).copied().collect::<Vec<_>>().join("\n")
    }
}

fn is_field(line: &str) -> bool {
    let name = line.split_once(':').map(|(name, _)| name).unwrap_or_default();
    name.len() > 1 && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
}

fn begins_original(line: &str) -> bool {
    let small = line.trim().to_lowercase();
    let fields =
        ["return-path:", "received: from", "received: by", "received: (", "dkim-signature:"];
    (small.len() < 100 && ORIGINAL_BEGINS.iter().any(|words| small.contains(words)))
        || fields.iter().any(|field| small.starts_with(field))
}

/// Whom a text says was not reached, judged.
pub(super) fn read(mail: &Mail, text: &Text<'_>) -> Vec<ReturnedRecipient> {
    let delayed = is_delay(mail);
    let listed = listed(&mail.head);
    let named = match listed.is_empty() {
        false => placed(&text.lines, listed),
        true => named(text, &sender::own_addresses(&mail.head)),
    };
    let named = gathered(&text.lines, named);
    let only = named.len() == 1;
    let judged = named.into_iter().map(|(address, about)| {
        let of = |diagnostic: String| {
            let address = address.clone();
            judge(Said { address, diagnostic, delayed, ..Said::default() })
        };
        let judged = of(about);
        if judged.cause != Cause::Unknown {
            return judged;
        }
        let wider = text.about(&address, only);
        let again = of(wider);
        if again.cause == Cause::Unknown { judged } else { again }
    });
    judged.collect()
}

/// Each address once, with all that is said of it. Mail systems are named for help, unless nobody
/// else is.
fn gathered(lines: &[&str], named: Vec<Named>) -> Vec<(String, String)> {
    let others = named.iter().any(|named| !sender::is_system(&named.address));
    let mut gathered: Vec<(String, String)> = Vec::new();
    for Named { address, about } in named {
        if others && sender::is_system(&address) {
            continue;
        }
        let about = lines[about].join("\n");
        let known = gathered.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&address));
        if let Some((_, said)) = known {
            said.push('\n');
            said.push_str(&about);
        } else if gathered.len() < RECIPIENTS_MAX {
            gathered.push((address, about));
        }
    }
    gathered
}

/// An address, and the lines that are about it.
struct Named {
    address: String,
    about: Range<usize>,
}

/// The addresses of `X-Failed-Recipients:` (Exim, Gmail).
fn listed(head: &Fields) -> Vec<String> {
    let found = head.all("x-failed-recipients").flat_map(addresses::find);
    found.map(|found| found.address.to_owned()).take(RECIPIENTS_MAX).collect()
}

/// Whether the mail as a whole is a warning.
fn is_delay(mail: &Mail) -> bool {
    let subject = mail.head.readable("subject");
    let words = ["(delay)", "delayed", "warning: ", "still being retried", "ritardo", "ritardata"];
    words.iter().any(|words| subject.contains(words))
        || cause_of_words(&subject) == Some(Cause::Delayed)
}

/// Addresses that are known, each with what is said from the line that first names it on.
fn placed(lines: &[&str], addresses: Vec<String>) -> Vec<Named> {
    let first = |address: &str| lines.iter().position(|line| line.contains(address)).unwrap_or(0);
    let at = addresses.into_iter().map(|address| (first(&address), address)).collect();
    up_to_the_next(lines, at)
}

/// What is said of each address: from its line to the next address's.
fn up_to_the_next(lines: &[&str], at: Vec<(usize, String)>) -> Vec<Named> {
    let starts: Vec<usize> = at.iter().map(|(at, _)| *at).collect();
    let end = |start: usize| {
        let next = starts.iter().copied().filter(|next| *next > start).min();
        next.unwrap_or(lines.len()).min(start + ABOUT_LINES_MAX)
    };
    at.into_iter().map(|(at, address)| Named { address, about: at..end(at) }).collect()
}

/// Addresses by the clearest way in which any is named.
fn named(text: &Text<'_>, own: &[String]) -> Vec<Named> {
    let lines = text.lines.as_slice();
    let stranger = |address: &str| !own.iter().any(|own| own.eq_ignore_ascii_case(address));
    let listed = (0..lines.len()).filter_map(|at| introduced(lines[at]).map(|found| (at, found)));
    let listed: Vec<(usize, String)> =
        listed.filter(|(_, address)| stranger(address)).take(RECIPIENTS_MAX).collect();
    if !listed.is_empty() {
        return up_to_the_next(lines, listed);
    }
    let told = (0..lines.len()).filter_map(|at| refused(lines, at).or_else(|| blamed(lines, at)));
    let told: Vec<Named> =
        told.filter(|named| stranger(&named.address)).take(RECIPIENTS_MAX).collect();
    if !told.is_empty() {
        return told;
    }
    let original = original::recipients(&text.original);
    if !original.is_empty() {
        let of = |address| Named { address, about: 0..0 };
        return original.into_iter().map(of).collect();
    }
    let mut anywhere =
        lines.iter().filter(|line| !is_offer(line)).flat_map(|line| addresses::find(line));
    let found = anywhere.find(|found| stranger(found.address) && !sender::is_system(found.address));
    let of = |found: addresses::Found<'_>| Named { address: found.address.to_owned(), about: 0..0 };
    found.map(of).into_iter().collect()
}

/// An address at the beginning of its line: `<a@example.org>:`, `* a@example.org`, `To: a@…`.
fn introduced(line: &str) -> Option<String> {
    let line = line.trim_start_matches(|c: char| !c.is_alphanumeric() && !"<\"'[_".contains(c));
    let found = addresses::find(line).into_iter().next()?;
    let (before, after) = (&line[..found.start], &line[found.end..]);
    let label = before.to_lowercase();
    let label = label.trim_matches([' ', '\t', '<', '"', '\'', '[', '(']);
    const LABELS: [&str; 14] = [
        "",
        "to:",
        "a:",
        "recipient:",
        "recipient address:",
        "recipients:",
        "address:",
        "user:",
        "destinatario:",
        "destinatari:",
        "indirizzo:",
        "smtp:",
        "rfc822;",
        "delivery to:",
    ];
    let after = after.trim_start_matches(['>', '"', '\'', ']', ')']).trim();
    let small = after.to_lowercase();
    const FOLLOWS: [&str; 9] = [":", "<mailto:", "on ", "(", ";", ",", "...", "- ", "["];
    // Some list those who were reached too: `a@example.org; Delivered; …`.
    const REACHED: [&str; 3] = ["delivered", "relayed", "expanded"];
    let how = small.trim_start_matches([';', ':', ' ']);
    if REACHED.iter().any(|word| how.starts_with(word)) {
        return None;
    }
    let alone = small.is_empty() || small == ".";
    let fits =
        LABELS.contains(&label) && (alone || FOLLOWS.iter().any(|with| small.starts_with(with)));
    fits.then(|| found.address.to_owned())
}

/// An address in a transcript, refused by one of the next lines: `>>> RCPT TO:<a@example.org>`.
fn refused(lines: &[&str], at: usize) -> Option<Named> {
    if !lines[at].to_ascii_lowercase().contains("rcpt to:") {
        return None;
    }
    let found = addresses::find(lines[at]).into_iter().next()?;
    let end = lines.len().min(at + 3);
    let refused = lines[at + 1..end].iter().any(|line| reply_in(line).is_some());
    refused.then(|| Named { address: found.address.to_owned(), about: at..end })
}

/// An address in a line that says why, or that it failed.
fn blamed(lines: &[&str], at: usize) -> Option<Named> {
    const WORDS: [&str; 14] = [
        "delivering your mail to",
        "deliver your message to",
        "undeliverable to",
        "not be delivered to",
        "not delivered to",
        "delivery to",
        "delivery failed",
        "failed to deliver",
        "sending to",
        "address:",
        "non consegnato a",
        "recapitato a",
        "consegnato a",
        "destinatario",
    ];
    let line = lines[at];
    let mut found = addresses::find(line).into_iter().filter(|_| !is_offer(line));
    let found = found.find(|found| !sender::is_system(found.address))?;
    let small = line.to_lowercase();
    let coded = status_in(line).is_some() || reply_in(line).is_some();
    let why = coded || cause_of_words(line).is_some();
    let told = why || WORDS.iter().any(|words| small.contains(words));
    told.then(|| Named { address: found.address.to_owned(), about: at..at + 1 })
}

/// Whether a line names whom to ask.
fn is_offer(line: &str) -> bool {
    let small = line.to_lowercase();
    let words = ["contact", "assistance", "questions", "contattare", "assistenza", "scrivere a"];
    words.iter().any(|words| small.contains(words))
}
