//! How much of a returned mail is looked at. Whatever goes beyond is left out, never an error:
//! what is needed stands at the beginning.

/// The most octets of one mail that are read. Reports return whole mails, ours have at most
/// some hundred kilobytes.
pub const MAIL_OCTETS_MAX: usize = 4 << 20;
/// The most octets of the header of a mail or of a part.
pub(super) const HEAD_OCTETS_MAX: usize = 64 << 10;
/// The most fields of a header or of a group of a report.
pub(super) const FIELDS_MAX: usize = 500;
/// The most octets of one field's value, unfolded.
pub(super) const FIELD_OCTETS_MAX: usize = 8 << 10;
/// The most parts of a mail that are looked at.
pub(super) const PARTS_MAX: usize = 40;
/// The most multiparts within one another.
pub(super) const NESTING_MAX: usize = 8;
/// The most octets of the text of one part, decoded.
pub(super) const TEXT_OCTETS_MAX: usize = 256 << 10;
/// The most lines of a text that are looked at.
pub(super) const LINES_MAX: usize = 2_000;
/// The most characters of one line.
pub(super) const LINE_CHARS_MAX: usize = 1_000;
/// The most groups of fields of a delivery report that are read.
pub(super) const GROUPS_MAX: usize = 200;
/// The most recipients taken from one mail. A mail of ours has one.
pub const RECIPIENTS_MAX: usize = 100;
/// The most addresses that a mail is said to have come to.
pub const TARGETS_MAX: usize = 20;
/// The longest address, in octets (RFC 5321 4.5.3.1.3).
pub(super) const ADDRESS_OCTETS_MAX: usize = 254;
/// The longest Message-ID, in octets (RFC 5322 2.1.1: a line).
pub(super) const MESSAGE_ID_OCTETS_MAX: usize = 998;
/// The most characters of a diagnostic that are kept.
pub const DIAGNOSTIC_CHARS_MAX: usize = 500;
