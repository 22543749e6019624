//! The canonical form of addresses and ids: two that differ only in what means nothing (scheme,
//! `www.`, order of parameters, sessions, tracking) are one.
//!
//! A canonical form is compared and never opened.

use std::borrow::Cow;

use super::dates;

/// Parameters of sessions, forms and caches.
const SESSION: &[&str] = &[
    "_",
    "_csrf",
    "_dc",
    "_wpnonce",
    "asp.net_sessionid",
    "authenticity_token",
    "cachebuster",
    "cfid",
    "cftoken",
    "csrf",
    "csrf_token",
    "csrftoken",
    "form_build_id",
    "form_token",
    "jsessionid",
    "nocache",
    "nonce",
    "oscsid",
    "p_auth",
    "p_p_auth",
    "phpsessid",
    "sessid",
    "session",
    "session_id",
    "sessionid",
    "zenid",
];
/// Parameters that tell a site where a visitor came from.
const TRACKING: &[&str] = &[
    "__hsfp",
    "__hssc",
    "__hstc",
    "_ga",
    "_gl",
    "_hsenc",
    "_hsmi",
    "_openstat",
    "dclid",
    "fbclid",
    "gad_source",
    "gbraid",
    "gclid",
    "gclsrc",
    "igsh",
    "igshid",
    "li_fat_id",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "msclkid",
    "oly_anon_id",
    "oly_enc_id",
    "s_cid",
    "srsltid",
    "ttclid",
    "twclid",
    "vero_id",
    "wbraid",
    "wt_mc",
    "wt.mc_id",
    "xtor",
    "yclid",
    "ysclid",
];
/// Beginnings of such parameters.
const TRACKING_FAMILIES: &[&str] =
    &["aspsessionid", "hsa_", "matomo_", "mtm_", "piwik_", "pk_", "utm_"];
/// Ends of parameters that say where a form leads back to; they often carry a session themselves.
const WAYS_BACK: &[&str] = &["_redirect", "backurl", "back_url", "returnurl", "return_url"];
/// Parameters that are a session's where their value looks like a token, and content's otherwise.
const PERHAPS_SESSION: &[&str] = &["s", "sid", "token", "auth", "rnd", "rand", "ts"];
/// The shortest value that looks like a token, in octets.
const TOKEN_OCTETS_MIN: usize = 16;

/// The canonical form of an address.
pub fn link(text: &str) -> String {
    // White space in an address is an accident.
    let text: String = text.split_whitespace().collect();
    let (host, rest) = split_host(&text);
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    // Some sites write the first parameter after `&`.
    let query_at = rest.find(['?', '&']).unwrap_or(rest.len());
    let mut form = host;
    path(&rest[..query_at], &mut form);
    let mut parameters: Vec<Cow<'_, str>> = parameters(&rest[query_at..]);
    parameters.sort_unstable();
    parameters.dedup();
    if !parameters.is_empty() {
        form.push('?');
        form.push_str(&parameters.join("&"));
    }
    // An anchor tells items of one page apart; `#xtor=RSS-1` tells nothing.
    let anchor = parameters_of_anchor(fragment);
    if !anchor.is_empty() {
        form.push('#');
        form.push_str(&anchor);
    }
    form
}

/// The canonical form of a publisher's id, which is an address or a text of its own.
pub fn id(text: &str) -> String {
    let text = text.trim();
    let has_parameters = text.contains('=') && text.contains(['?', '&', ';']);
    if has_scheme(text) || has_parameters { link(text) } else { text.to_owned() }
}

/// Where an address stands and which parameters it has, without what names the item: the host,
/// the path to its last part without years, months and days, and the names of the parameters.
pub fn shape(link: &str) -> String {
    let (path, query) = link.split_once('?').unwrap_or((link, ""));
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let folders = folder.split('/').filter(|part| !is_of_date(part)).collect::<Vec<_>>().join("/");
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    format!("{folders}?{}", names.collect::<Vec<_>>().join("&"))
}

/// Whether a folder is a number, a month in words, or both, as in `25-novembre-2026`.
fn is_of_date(folder: &str) -> bool {
    let is_number = |part: &str| {
        part.bytes().any(|b| b.is_ascii_digit()) && !part.chars().any(char::is_alphabetic)
    };
    // Alone, three letters may be a word of another kind.
    let is_word = |part: &str| part.chars().nth(3).is_some() || part != folder;
    let mut parts = folder.split(['-', '_', '.']);
    is_number(folder)
        || parts
            .all(|part| is_number(part) || (is_word(part) && dates::is_month(&part.to_lowercase())))
}

/// The last part of a canonical address's path, where it is one that names an item: no parameters
/// beside it, and words or a number in it.
pub fn slug(link: &str) -> Option<&str> {
    const SLUG_OCTETS_MIN: usize = 8;
    if link.contains(['?', '#']) {
        return None;
    }
    let (_, last) = link.rsplit_once('/')?;
    let stem = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
    let names = stem.contains(['-', '_']) || stem.bytes().any(|b| b.is_ascii_digit());
    (names && stem.len() >= SLUG_OCTETS_MIN).then_some(stem)
}

fn has_scheme(text: &str) -> bool {
    let start = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    start.starts_with("http://") || start.starts_with("https://")
}

/// The host in its canonical form, empty where the text has no scheme, and what follows.
fn split_host(text: &str) -> (String, &str) {
    if !has_scheme(text) {
        return (String::new(), text);
    }
    let rest = text.split_once("//").map_or("", |(_, rest)| rest);
    let end = rest.find(['/', '?', '#', '&', ';']).unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default().to_lowercase();
    let host = host.strip_suffix(":80").or(host.strip_suffix(":443")).unwrap_or(&host);
    let host = host.trim_end_matches('.').trim_start_matches("www.");
    (host.to_owned(), &rest[end..])
}

/// Adds a path without sessions, empty parts and a slash at its end.
fn path(text: &str, form: &mut String) {
    for (number, part) in text.split('/').enumerate() {
        let (name, marks) = part.split_once(';').unwrap_or((part, ""));
        // ASP.NET without cookies: /(S(lit3py55t21z5v55vlm25s55))/
        let is_session = name.starts_with("(S(") && name.ends_with("))");
        let marks: Vec<&str> =
            marks.split(';').filter(|mark| !mark.is_empty() && !is_noise(mark)).collect();
        if is_session || (name.is_empty() && marks.is_empty()) {
            continue;
        }
        if number > 0 {
            form.push('/');
        }
        form.push_str(&escapes(name));
        for mark in marks {
            form.push(';');
            form.push_str(&escapes(mark));
        }
    }
}

fn parameters(text: &str) -> Vec<Cow<'_, str>> {
    let pairs = text.split(['?', '&', ';']);
    pairs.filter(|pair| !matches!(*pair, "" | "amp") && !is_noise(pair)).map(escapes).collect()
}

fn parameters_of_anchor(text: &str) -> String {
    if text.contains('=') && !text.starts_with(['!', '/']) {
        return parameters(text).join("&");
    }
    escapes(text).into_owned()
}

/// Whether a parameter, `name=value`, is no part of what an address means.
fn is_noise(pair: &str) -> bool {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let name = name.strip_prefix("amp;").unwrap_or(name).to_ascii_lowercase();
    let name = name.as_str();
    SESSION.contains(&name)
        || TRACKING.contains(&name)
        || TRACKING_FAMILIES.iter().any(|family| name.starts_with(family))
        || WAYS_BACK.iter().any(|end| name.ends_with(end))
        || (PERHAPS_SESSION.contains(&name) && is_token(value))
}

fn is_token(value: &str) -> bool {
    value.len() >= TOKEN_OCTETS_MIN
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && value.bytes().any(|b| b.is_ascii_digit())
}

/// Percent-encoding in one form (RFC 3986 6.2.2): what need not be encoded is not, and hexadecimal
/// digits are capital. `+` for a space stays what it is.
fn escapes(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        made.push_str(&rest[..at]);
        let start = text.len() - rest.len() + at;
        let digits = bytes.get(start + 1..start + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let octet = digits.filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        match octet.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(octet) => {
                let unreserved =
                    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~');
                if unreserved {
                    made.push(char::from(octet));
                } else {
                    made.push_str(&format!("%{octet:02X}"));
                }
                rest = &rest[at + 3..];
            }
            None => {
                made.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    made.push_str(rest);
    Cow::Owned(made)
}

#[cfg(test)]
mod tests {
    use super::{id, link, shape, slug};
    use proptest::prelude::*;

    #[test]
    fn addresses_that_differ_in_nothing_that_matters_are_one() {
        for (one, other) in [
            ("http://www.comune.example.it/a/", "https://comune.example.it/a"),
            ("https://comune.example.it:443/a", "https://COMUNE.example.it/a"),
            ("https://x.it/a?p_auth=4rDCwF5c&id=7", "https://x.it/a?id=7&p_auth=QQvnlfC1"),
            ("https://x.it/a?p_auth=4rDCwF5c&id=7", "https://x.it/a&id=7"),
            ("https://x.it/a?b=1?c=2", "https://x.it/a?b=1&c=2"),
            ("https://x.it/a;jsessionid=0A1B2C?id=7", "https://x.it/a?id=7"),
            ("https://x.it/a?id=7&amp;JSESSIONID=12", "https://x.it/a?id=7"),
            ("https://x.it/a?id=7&PHPSESSID=12#xtor=RSS-3", "https://x.it/a?id=7"),
            ("https://x.it/(S(lit3py55t21z5v55))/a.aspx", "https://x.it/a.aspx"),
            ("https://x.it/a?utm_source=rss&fbclid=IwY2xj", "https://x.it/a"),
            ("https://x.it/a?sid=0123456789abcdef0123", "https://x.it/a"),
            ("https://x.it/citt%c3%a0/%7Ebob", "https://x.it/citt%C3%A0/~bob"),
            ("https://x.it/a?id=7&_20_redirect=%2Fb%3Fp_auth%3D9", "https://x.it/a?id=7"),
        ] {
            assert_eq!(link(one), link(other), "{one} and {other}");
        }
    }

    #[test]
    fn addresses_that_name_different_things_stay_apart() {
        for (one, other) in [
            ("https://x.it/a?id=7", "https://x.it/a?id=8"),
            ("https://x.it/a", "https://x.it/A"),
            ("https://x.it/a", "https://y.it/a"),
            ("https://x.it/a#n1", "https://x.it/a#n2"),
            ("https://x.it/#!/news/1", "https://x.it/#!/news/2"),
            ("https://x.it/a?sid=12", "https://x.it/a?sid=13"),
            ("https://x.it/a?token=albo", "https://x.it/a?token=gare"),
        ] {
            assert_ne!(link(one), link(other));
        }
    }

    #[test]
    fn an_id_that_is_no_address_stays_as_it_is() {
        for text in ["42", "tag:example.org,2026:A/b", "urn:uuid:1-2", "Avviso; n. 3", "A+B"] {
            assert_eq!(id(text), text);
        }
        assert_eq!(id("http://www.x.it/?p=12"), id("https://x.it/?p=12"));
        assert_eq!(id("act?p_auth=1&n=3"), id("act?p_auth=2&n=3"));
    }

    #[test]
    fn a_shape_is_where_an_address_stands_and_a_slug_what_it_names() {
        let page = link("https://x.it/novita/avvisi/chiusura-estiva.html");
        assert_eq!(shape(&page), "x.it/novita/avvisi?");
        assert_eq!(slug(&page), Some("chiusura-estiva"));
        assert_eq!(shape(&link("https://x.it/a.php?id=7&c=2")), "x.it?c&id");
        let day = |day: &str| shape(&link(&format!("https://x.it/n/{day}/seduta")));
        assert_eq!(day("2026/11/25"), day("2026-12-01"));
        for (one, other) in [
            ("2026/novembre", "2026/dicembre"),
            ("novembre-2026", "Dicembre-2026"),
            ("25-nov-2026", "1_dic_2026"),
            ("2026/March", "2026/april"),
        ] {
            assert_eq!(day(one), day(other), "{one} and {other}");
        }
        for (one, other) in [("avvisi-2026", "avvisi-2027"), ("mar", "marina"), ("via-maggio", "")]
        {
            assert_ne!(day(one), day(other), "{one} and {other}");
        }
        assert_eq!(slug(&link("https://x.it/a.php?id=7")), None);
        assert_eq!(slug(&link("https://x.it/notizie")), None);
    }

    proptest! {
        #[test]
        fn a_canonical_form_is_its_own(text in "\\PC{0,60}") {
            let once = link(&text);
            prop_assert_eq!(link(&once), once.clone());
            prop_assert_eq!(id(&id(&text)), id(&text));
            let _ = (shape(&once), slug(&once));
        }

        #[test]
        fn a_session_changes_nothing(
            host in "[a-z]{1,8}\\.it",
            path in "(/[a-zA-Z0-9._-]{1,8}){0,3}",
            query in proptest::collection::vec("[a-z]{2,5}=[a-zA-Z0-9]{1,6}", 0..4),
            token in "[a-zA-Z0-9]{1,20}",
            at in 0_usize..5,
        ) {
            let address = |pairs: &[String]| format!("https://{host}{path}?{}", pairs.join("&"));
            let plain = link(&address(&query));
            for name in ["p_auth", "utm_source", "PHPSESSID", "fbclid", "jsessionid"] {
                let mut with = query.clone();
                with.insert(at.min(query.len()), format!("{name}={token}"));
                prop_assert_eq!(link(&address(&with)), plain.clone());
            }
            let with = format!("http://www.{host}{path};jsessionid={token}?{}", query.join("&"));
            prop_assert_eq!(link(&with), plain);
        }
    }
}
