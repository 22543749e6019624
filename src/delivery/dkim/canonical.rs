//! The form in which octets are signed: "relaxed" for header and body (RFC 6376 3.4.2, 3.4.4).

/// The header, each field closed by CRLF, and the body.
pub(super) fn split(message: &[u8]) -> (&[u8], &[u8]) {
    match message.windows(4).position(|octets| octets == b"\r\n\r\n") {
        Some(at) => (&message[..at + 2], &message[at + 4..]),
        None => (message, b""),
    }
}

/// The fields of a header, from the first to the last.
pub(super) struct Fields<'a>(Vec<(String, &'a [u8])>);

impl<'a> Fields<'a> {
    pub fn read(header: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        let mut rest = header;
        while !rest.is_empty() {
            let (field, after) = rest.split_at(end_of_field(rest));
            let name = field.split(|octet| *octet == b':').next().unwrap_or_default();
            let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
            fields.push((name, field));
            rest = after;
        }
        Self(fields)
    }

    /// The names for h=: each wanted one as often as there is such a field, and the oversigned ones
    /// once more.
    pub fn signed_names<'n>(&self, wanted: &[&'n str], oversigned: &[&str]) -> Vec<&'n str> {
        let mut names = Vec::with_capacity(wanted.len() + oversigned.len());
        for name in wanted {
            let there = self.0.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name)).count();
            let times = there + usize::from(oversigned.contains(name));
            names.extend(std::iter::repeat_n(*name, times));
        }
        names
    }

    /// The fields of these names as they are hashed: of several of one name the last comes first,
    /// and one that is not there is nothing (RFC 6376 5.4.2).
    pub fn canonical(&self, names: &[&str]) -> Vec<u8> {
        let mut out = Vec::with_capacity(1_024);
        let mut taken = vec![false; self.0.len()];
        for name in names {
            let found = self.0.iter().enumerate().rev();
            let found = found
                .into_iter()
                .find(|(at, (own, _))| !taken[*at] && own.eq_ignore_ascii_case(name));
            if let Some((at, (_, octets))) = found {
                taken[at] = true;
                out.extend_from_slice(&field(octets));
            }
        }
        out
    }
}

/// Where the first field ends: after the first CRLF that no white space follows.
fn end_of_field(header: &[u8]) -> usize {
    let mut at = 0;
    while let Some(end) = header[at..].windows(2).position(|octets| octets == b"\r\n") {
        at += end + 2;
        if !matches!(header.get(at), Some(b' ' | b'\t')) {
            return at;
        }
    }
    header.len()
}

/// A field in relaxed form, closed by CRLF.
pub(super) fn field(octets: &[u8]) -> Vec<u8> {
    let colon = octets.iter().position(|octet| *octet == b':').unwrap_or(octets.len());
    let (name, value) = octets.split_at(colon);
    let mut out = name.trim_ascii().to_ascii_lowercase();
    out.push(b':');
    let mut blank = false;
    let mut begun = false;
    for octet in value.iter().skip(1) {
        match octet {
            b' ' | b'\t' | b'\r' | b'\n' => blank = true,
            _ => {
                if blank && begun {
                    out.push(b' ');
                }
                (blank, begun) = (false, true);
                out.push(*octet);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// A body in relaxed form: each run of blanks is one, none stands at the end of a line, and no
/// empty line at the end of the body.
pub(super) fn body(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + 2);
    let mut empty_lines = 0;
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let end = line.iter().rposition(|octet| !matches!(octet, b' ' | b'\t'));
        let Some(end) = end else {
            empty_lines += 1;
            continue;
        };
        for _ in 0..std::mem::take(&mut empty_lines) {
            out.extend_from_slice(b"\r\n");
        }
        let mut blank = false;
        for octet in &line[..=end] {
            let is_blank = matches!(octet, b' ' | b'\t');
            match (is_blank, blank) {
                (true, true) => {}
                (true, false) => out.push(b' '),
                (false, _) => out.push(*octet),
            }
            blank = is_blank;
        }
        out.extend_from_slice(b"\r\n");
    }
    out
}
