//! Addresses as reports write them. They are texts of strangers: to be shown and compared, never
//! written to.

use super::limits::ADDRESS_OCTETS_MAX;

/// An address found in a line, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found<'t> {
    pub(super) address: &'t str,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The addresses of a line, in their order.
pub(super) fn find(line: &str) -> Vec<Found<'_>> {
    let mut found: Vec<Found<'_>> = Vec::new();
    for (at, _) in line.match_indices('@') {
        let from = found.last().map_or(0, |last| last.end);
        let Some(start) = local_start(&line[from..at]).map(|start| from + start) else { continue };
        let end = at + 1 + domain_length(&line[at + 1..]);
        let bracketed = line[..start].ends_with('<') && line[end..].starts_with('>');
        let dotted = line[at + 1..end].contains('.');
        if end > at + 1 && (dotted || bracketed) && end - start <= ADDRESS_OCTETS_MAX {
            found.push(Found { address: &line[start..end], start, end });
        }
    }
    found
}

/// The address of a field such as `rfc822; <a@example.org>` (RFC 3464 2.3.1); the longest form
/// that is one address alone.
pub(super) fn of_field(value: &str) -> Option<String> {
    let value = match value.split_once(';') {
        Some((kind, rest)) if !kind.contains(['@', '<', '"']) => rest,
        _ => value,
    };
    // `rfc822;addr+20text` stands in some reports (RFC 3461 4, xtext).
    let value = value.trim().trim_matches(['<', '>']).trim();
    let mut found = find(value).into_iter();
    let first = found.next()?;
    // A route (RFC 5321 appendix C) is no address to know anybody by.
    let whole = first.start == 0 || !value.starts_with('@');
    whole.then(|| first.address.to_owned())
}

/// Where the local part begins that ends the text (RFC 5322 3.4.1, RFC 6531 3.3).
fn local_start(before: &str) -> Option<usize> {
    if let Some(quoted) = before.strip_suffix('"') {
        let start = quoted.rfind('"')?;
        let plain = quoted[start + 1..].chars().all(|c| c == ' ' || c.is_ascii_graphic());
        return (plain && start + 1 < quoted.len()).then_some(start);
    }
    let stops = |c: char| !(c.is_alphanumeric() || "!#$%&*+-/=?^_`{|}~.'".contains(c));
    let start = before
        .rfind(stops)
        .map_or(0, |stop| stop + before[stop..].chars().next().map_or(1, char::len_utf8));
    let local = &before[start..];
    let bare = local.trim_start_matches(['\'', '.', '=', '*', '-', '`', '/', '|']);
    // `F=a@example.org` and `smtp:a@example.org` name what follows.
    let named = bare.rfind('=').filter(|_| bare.matches('=').count() == 1 && bare.len() < 40);
    let bare = match named {
        Some(at) if at <= 10 && bare[..at].bytes().all(|octet| octet.is_ascii_alphabetic()) => {
            &bare[at + 1..]
        }
        _ => bare,
    };
    (!bare.is_empty()).then(|| before.len() - bare.len())
}

/// How many octets at the beginning of a text are a domain.
fn domain_length(after: &str) -> usize {
    let stops = |c: char| !(c.is_alphanumeric() || c == '-' || c == '.');
    let domain = after.find(stops).map_or(after, |stop| &after[..stop]);
    domain.trim_end_matches(['.', '-']).len()
}
