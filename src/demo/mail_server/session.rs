//! What is answered to each command (RFC 5321 4.1); no input or output.

use super::ServerLimits;

pub(super) const LINE_TOO_LONG: &str = "500 5.5.2 Line too long\r\n";
pub(super) const BARE_LINE_END: &str = "500 5.5.2 A line ends with CR LF\r\n";
pub(super) const MESSAGE_TOO_LARGE: &str = "552 5.3.4 Message too large\r\n";
pub(super) const CONTENT_LINE_TOO_LONG: &str = "554 5.6.0 A line of the content is too long\r\n";
pub(super) const CONTENT_BARE_LINE_END: &str =
    "554 5.6.0 A line of the content ends without CR LF\r\n";
pub(super) const NO_TRANSACTION: &str = "503 5.5.1 MAIL and RCPT come first\r\n";

/// The longest path, in octets (RFC 5321 4.5.3.1.3).
const PATH_OCTETS_MAX: usize = 256;

/// What comes after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Command,
    Content,
    Quit,
}

/// A reply and what it leads to.
#[derive(Debug)]
pub(super) struct Answer {
    pub text: String,
    pub next: Next,
}

impl Answer {
    /// Whether the command was wrong.
    pub fn is_error(&self) -> bool {
        self.text.starts_with(['4', '5'])
    }
}

impl From<&str> for Answer {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), next: Next::Command }
    }
}

/// A message under way.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub return_path: String,
    pub recipients: Vec<String>,
}

/// What has been said so far.
#[derive(Debug)]
pub(super) struct Session {
    limits: ServerLimits,
    greeted: bool,
    mail: Option<Transaction>,
}

impl Session {
    pub fn new(limits: ServerLimits) -> Self {
        Self { limits, greeted: false, mail: None }
    }

    /// Ends the transaction and gives it to the caller.
    pub fn take(&mut self) -> Option<Transaction> {
        self.mail.take()
    }

    /// Answers one command line, given without its CRLF.
    pub fn command(&mut self, line: &[u8]) -> Answer {
        let Ok(line) = str::from_utf8(line) else {
            return "500 5.5.2 Not UTF-8\r\n".into();
        };
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.hello(rest, true),
            "HELO" => self.hello(rest, false),
            "MAIL" => self.mail(rest),
            "RCPT" => self.rcpt(rest),
            "DATA" => self.data(rest),
            "RSET" => {
                self.mail = None;
                "250 2.0.0 Forgotten\r\n".into()
            }
            "NOOP" => "250 2.0.0 Here\r\n".into(),
            "QUIT" => Answer { text: "221 2.0.0 Bye\r\n".to_owned(), next: Next::Quit },
            // RFC 5321 3.5.3: a server need not verify, and then says this.
            "VRFY" => "252 2.1.5 Try to send\r\n".into(),
            "HELP" => "214 2.0.0 RFC 5321\r\n".into(),
            "EXPN" | "STARTTLS" | "AUTH" => "502 5.5.1 Not here\r\n".into(),
            _ => "500 5.5.2 No such command\r\n".into(),
        }
    }

    fn hello(&mut self, name: &str, extended: bool) -> Answer {
        if name.is_empty() || name.contains(char::is_whitespace) {
            return "501 5.5.4 Say your name\r\n".into();
        }
        // EHLO resets what was under way (RFC 5321 4.1.4).
        (self.greeted, self.mail) = (true, None);
        if !extended {
            return "250 banditore.invalid\r\n".into();
        }
        let size = self.limits.message_octets;
        let text = format!(
            "250-banditore.invalid\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
             250-ENHANCEDSTATUSCODES\r\n250 SIZE {size}\r\n"
        );
        Answer { text, next: Next::Command }
    }

    fn mail(&mut self, rest: &str) -> Answer {
        if !self.greeted {
            return "503 5.5.1 EHLO comes first\r\n".into();
        }
        if self.mail.is_some() {
            return "503 5.5.1 A message is under way\r\n".into();
        }
        let Some((path, parameters)) = path_after(rest, "FROM:") else {
            return "501 5.5.4 MAIL FROM:<address>\r\n".into();
        };
        if !(path.is_empty() || is_mailbox(path)) {
            return "501 5.1.7 No address\r\n".into();
        }
        for parameter in parameters.split_whitespace() {
            let (keyword, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match (keyword.to_ascii_uppercase().as_str(), value.to_ascii_uppercase().as_str()) {
                ("SIZE", value) => match value.parse::<u64>() {
                    Ok(size) if size > self.limits.message_octets as u64 => {
                        return MESSAGE_TOO_LARGE.into();
                    }
                    Ok(_) => {}
                    Err(_) => return "501 5.5.4 SIZE=octets\r\n".into(),
                },
                ("BODY", "7BIT" | "8BITMIME") | ("SMTPUTF8", "") => {}
                _ => return "555 5.5.4 No such parameter\r\n".into(),
            }
        }
        self.mail = Some(Transaction { return_path: path.to_owned(), recipients: Vec::new() });
        "250 2.1.0 Sender taken\r\n".into()
    }

    fn rcpt(&mut self, rest: &str) -> Answer {
        let Some(mail) = &mut self.mail else {
            return "503 5.5.1 MAIL comes first\r\n".into();
        };
        let Some((path, parameters)) = path_after(rest, "TO:") else {
            return "501 5.5.4 RCPT TO:<address>\r\n".into();
        };
        // RFC 5321 4.5.1: postmaster, alone, is an address everywhere.
        if !(is_mailbox(path) || path.eq_ignore_ascii_case("postmaster")) {
            return "501 5.1.3 No address\r\n".into();
        }
        if !parameters.is_empty() {
            return "555 5.5.4 No such parameter\r\n".into();
        }
        if mail.recipients.len() >= self.limits.recipients {
            return "452 4.5.3 Too many recipients\r\n".into();
        }
        mail.recipients.push(path.to_owned());
        "250 2.1.5 Recipient taken\r\n".into()
    }

    fn data(&self, rest: &str) -> Answer {
        if !rest.is_empty() {
            return "501 5.5.4 DATA stands alone\r\n".into();
        }
        match &self.mail {
            Some(mail) if !mail.recipients.is_empty() => {
                let text = "354 End with CR LF . CR LF\r\n".to_owned();
                Answer { text, next: Next::Content }
            }
            _ => NO_TRANSACTION.into(),
        }
    }
}

/// Splits `FROM:<path> parameters`; an old source route is left out (RFC 5321 4.1.1.3).
fn path_after<'a>(text: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let (head, rest) = text.split_at_checked(keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    // Some clients put a blank after the colon; nothing is gained by turning them away.
    let rest = rest.trim_start().strip_prefix('<')?;
    let end = end_of_path(rest)?;
    let (path, parameters) = (&rest[..end], &rest[end + 1..]);
    if !(parameters.is_empty() || parameters.starts_with(' ')) {
        return None;
    }
    let path = match path.strip_prefix('@') {
        Some(route) => route.split_once(':')?.1,
        None => path,
    };
    Some((path, parameters.trim()))
}

/// The `>` that ends a path: the first outside quotes.
fn end_of_path(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// Whether this could be a mailbox (RFC 5321 4.1.2); roughly, for nothing is sent there.
fn is_mailbox(path: &str) -> bool {
    let Some((user, domain)) = path.rsplit_once('@') else { return false };
    let quoted = user.len() >= 2 && user.starts_with('"') && user.ends_with('"');
    let plain = |c: char| !(c.is_whitespace() || c.is_control() || "<>()[]\\,;:\"@".contains(c));
    let user_fits = if quoted { !user.contains(char::is_control) } else { user.chars().all(plain) };
    let literal = domain.starts_with('[') && domain.ends_with(']');
    let host = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == ':';
    let domain_fits = if literal {
        domain[1..domain.len() - 1].chars().all(inside)
    } else {
        domain.chars().all(host) && !domain.split('.').any(str::is_empty)
    };
    !user.is_empty() && user_fits && domain_fits && path.len() <= PATH_OCTETS_MAX
}
