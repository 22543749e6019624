//! From what a group is told to a variant: a list of fragments, each rendered once.

use std::collections::{BTreeMap, HashMap};

use chrono_tz::Tz;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::audience::Mailbox;
use crate::config::Site;
use crate::model::{Language, TopicId};
use crate::rendering::mime::{self, Boundary, HeaderView};
use crate::rendering::{
    ClosingView, EntryView, Fragment, FrameView, OpeningView, ReasonView, Templates,
};
use crate::store::{EditionRow, EntryReason, ListRow, NewVariant, Tx};
use crate::topics::{Codes, Rules};

use super::PlanError;
use super::wants::Reason;
use super::window::{Told, Window};

/// The most decoded HTML of a mail, in octets. Gmail clips at 102 KB, and what comes after is the
/// way to leave.
pub const HTML_BYTES_MAX: i64 = 100_000;
/// The most entries that are told in full; more are told by their titles.
pub const FULL_ENTRIES_MAX: usize = 40;
/// The most entries that one mail names at all; of those beyond, the number is told.
pub const ENTRIES_MAX: usize = 80;
/// How many entries fewer are tried when a mail comes out too long.
const ENTRIES_FEWER: usize = 5;
/// Titles in the line that mailboxes show beside the subject.
const PREHEADER_TITLES: usize = 3;
/// The longest sender in a Feedback-ID, in characters.
const FEEDBACK_SENDER_CHARS_MAX: usize = 15;

/// What every variant of an edition is made with.
#[derive(Debug)]
pub struct Composer<'a> {
    site: &'a Site,
    rules: &'a Rules,
    templates: &'a Templates,
    edition: EditionRow,
    list: ListRow,
    source_titles: HashMap<String, String>,
    /// The fragments that the edition has: id and size of the decoded HTML.
    fragments: HashMap<String, (i64, i64)>,
}

/// A fragment that a variant asks for: its key, and what it is made of when it is new.
struct Wanted {
    key: String,
    made: Made,
}

enum Made {
    Frame,
    Preheader(Vec<String>),
    Opening(usize),
    Heading(Option<TopicId>),
    Entry(usize),
    Brief(usize),
    Reason(Reason),
    More(usize),
    Closing,
}

impl<'a> Composer<'a> {
    /// Gets ready for an edition, with the fragments that it has already.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn new(
        tx: &mut Tx<'_>,
        site: &'a Site,
        rules: &'a Rules,
        templates: &'a Templates,
        edition: EditionRow,
        list: ListRow,
    ) -> Result<Self, PlanError> {
        let fragments = tx.fragment_keys(edition.id).await?;
        let sources = tx.sources().await?;
        Ok(Self {
            site,
            rules,
            templates,
            edition,
            list,
            source_titles: sources
                .into_iter()
                .filter_map(|source| Some((source.id.to_string(), source.title?)))
                .collect(),
            fragments: fragments.into_iter().map(|(key, id, size)| (key, (id, size))).collect(),
        })
    }

    /// The id of the variant that tells these entries, stored where it is new.
    ///
    /// # Errors
    /// Where a template or the database fails.
    pub async fn variant(
        &mut self,
        tx: &mut Tx<'_>,
        window: &Window,
        told: &[Told],
        language: Language,
    ) -> Result<i64, PlanError> {
        let ordered = self.order(window, told);
        let key = key(&[&language.to_string(), &content(window, &ordered)]);
        let (fragments, html_bytes) = self.fragments(tx, window, &ordered, language).await?;
        let entries: Vec<&Told> = ordered.iter().flat_map(|(_, told)| told).copied().collect();
        let first = window.entry(entries[0].index);
        let subject = self.templates.subject(&first.text.title, entries.len() - 1, language);
        let sender: Mailbox = self.list.sender.parse()?;
        let boundary = boundary(self.edition.id, &key);
        let headers = mime::headers(&HeaderView {
            from_name: sender.name.as_deref().unwrap_or(&self.site.name),
            from_address: &sender.address.to_string(),
            subject: &subject,
            language,
            list_name: &self.list.name,
            list_id: &format!("{}.{}", self.list.id, sender.address.domain()),
            unsubscribe_base: &unsubscribe_base(self.site),
            help: None,
            archive: None,
            feedback_id: Some(&self.feedback_id(sender.address.domain())),
            boundary: &boundary,
        })?;
        let positions = entries.iter().map(|told| window.entry(told.index).position);
        let variant = NewVariant {
            key,
            language,
            headers,
            fragments,
            entries: positions.collect(),
            html_bytes,
        };
        Ok(tx.intern_variant(self.edition.id, &variant).await?)
    }

    /// What large receivers show complaints by: edition, cadence, list, and the sender as 5 to 15
    /// letters and digits.
    fn feedback_id(&self, domain: &str) -> String {
        let letters = domain.chars().filter(char::is_ascii_alphanumeric).chain("news".chars());
        let sender: String = letters.take(FEEDBACK_SENDER_CHARS_MAX).collect();
        let EditionRow { id, list_id, cadence, .. } = &self.edition;
        format!("{id}:{cadence}:{list_id}:{sender}")
    }

    /// Sections in the order of the topics, an entry under the first of its topics that is
    /// followed; in a section what concerns a followed place first, then the newest.
    fn order<'t>(
        &self,
        window: &Window,
        told: &'t [Told],
    ) -> Vec<(Option<TopicId>, Vec<&'t Told>)> {
        let rank: BTreeMap<&TopicId, usize> =
            self.rules.topics().iter().enumerate().map(|(i, topic)| (&topic.id, i)).collect();
        let mut sections: BTreeMap<usize, (Option<TopicId>, Vec<&Told>)> = BTreeMap::new();
        for told in told {
            let own = told.reason.topics.first().cloned();
            let own = own
                .or_else(|| window.found(told.index).topics.first().map(|topic| topic.id.clone()));
            let place = own
                .as_ref()
                .map_or(usize::MAX, |topic| rank.get(topic).copied().unwrap_or(usize::MAX));
            sections.entry(place).or_insert_with(|| (own, Vec::new())).1.push(told);
        }
        let mut sections: Vec<_> = sections.into_values().collect();
        for (_, entries) in &mut sections {
            entries
                .sort_by_key(|told| (told.reason.places.is_empty(), std::cmp::Reverse(told.index)));
        }
        sections
    }

    /// The fragments of a variant in their order, made where they are new, and the size of its
    /// HTML. The first entries are told in full as long as all of it stays under
    /// [`HTML_BYTES_MAX`].
    async fn fragments(
        &mut self,
        tx: &mut Tx<'_>,
        window: &Window,
        sections: &[(Option<TopicId>, Vec<&Told>)],
        language: Language,
    ) -> Result<(Vec<i64>, i64), PlanError> {
        let (mut full, mut named) = (FULL_ENTRIES_MAX, ENTRIES_MAX);
        loop {
            let wanted = self.wanted(window, sections, language, full, named);
            let mut ids = Vec::with_capacity(wanted.len());
            let mut html_bytes = 0;
            for fragment in wanted {
                let (id, size) = self.fragment(tx, window, fragment, language).await?;
                ids.push(id);
                html_bytes += size;
            }
            if html_bytes <= HTML_BYTES_MAX || named <= ENTRIES_FEWER {
                return Ok((ids, html_bytes));
            }
            if full > 0 {
                full = full.saturating_sub(ENTRIES_FEWER);
            } else {
                named -= ENTRIES_FEWER;
            }
        }
    }

    fn wanted(
        &self,
        window: &Window,
        sections: &[(Option<TopicId>, Vec<&Told>)],
        language: Language,
        full: usize,
        named: usize,
    ) -> Vec<Wanted> {
        let count: usize = sections.iter().map(|(_, told)| told.len()).sum();
        let titles: Vec<String> = sections
            .iter()
            .flat_map(|(_, told)| told)
            .skip(1)
            .take(PREHEADER_TITLES)
            .map(|told| window.entry(told.index).text.title.clone())
            .collect();
        let mut wanted = vec![
            Wanted { key: format!("{language}:frame"), made: Made::Frame },
            Wanted {
                key: format!("{language}:preheader:{}", key(&[&titles.join("\n")])),
                made: Made::Preheader(titles),
            },
            Wanted { key: format!("{language}:opening:{count}"), made: Made::Opening(count) },
        ];
        let mut told_before = 0;
        for (topic, entries) in sections {
            if told_before >= named {
                break;
            }
            let name = topic.as_ref().map_or("", TopicId::as_str);
            wanted.push(Wanted {
                key: format!("{language}:heading:{name}"),
                made: Made::Heading(topic.clone()),
            });
            for told in entries.iter().take(named - told_before) {
                let position = window.entry(told.index).position;
                let in_full = told_before < full;
                let (kind, made) = if in_full {
                    ("entry", Made::Entry(told.index))
                } else {
                    ("brief", Made::Brief(told.index))
                };
                wanted.push(Wanted { key: format!("{language}:{kind}:{position}"), made });
                if in_full {
                    let hash = key(&[&format!("{:?}", told.reason)]);
                    wanted.push(Wanted {
                        key: format!("{language}:reason:{hash}"),
                        made: Made::Reason(told.reason.clone()),
                    });
                }
                told_before += 1;
            }
        }
        if count > told_before {
            let more = count - told_before;
            wanted.push(Wanted { key: format!("{language}:more:{more}"), made: Made::More(more) });
        }
        wanted.push(Wanted { key: format!("{language}:closing"), made: Made::Closing });
        wanted
    }

    async fn fragment(
        &mut self,
        tx: &mut Tx<'_>,
        window: &Window,
        wanted: Wanted,
        language: Language,
    ) -> Result<(i64, i64), PlanError> {
        if let Some(known) = self.fragments.get(&wanted.key) {
            return Ok(*known);
        }
        let made = self.render(window, &wanted.made, language)?;
        let size = i64::try_from(made.html_bytes).unwrap_or(i64::MAX);
        let id =
            tx.insert_fragment(self.edition.id, &wanted.key, &made.html, &made.text, size).await?;
        self.fragments.insert(wanted.key, (id, size));
        Ok((id, size))
    }

    fn render(
        &self,
        window: &Window,
        made: &Made,
        language: Language,
    ) -> Result<Fragment, PlanError> {
        let list_name = self.list.name.as_str();
        let site_name = self.site.name.as_str();
        let zone = self.site.timezone;
        Ok(match made {
            Made::Frame => self.templates.frame(&FrameView { list_name }, language)?,
            Made::Preheader(titles) => {
                let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
                self.templates.preheader(&titles, language)?
            }
            Made::Opening(count) => self.templates.opening(
                &OpeningView {
                    site_name,
                    list_name,
                    cadence: self.edition.cadence.as_str(),
                    date: self.edition.slot_at.in_zone(zone).date_naive(),
                    count: *count,
                },
                language,
            )?,
            Made::Heading(topic) => {
                let label = topic.as_ref().and_then(|id| self.topic_label(id, language));
                match label {
                    Some(label) => self.templates.heading(label, language)?,
                    None => self.templates.heading_of_the_rest(language)?,
                }
            }
            Made::Entry(index) => self.entry(window, *index, language, zone)?,
            Made::Brief(index) => {
                let entry = window.entry(*index);
                let link = entry.text.link.as_deref();
                self.templates.brief(&entry.text.title, link, language)?
            }
            Made::Reason(reason) => self.reason(window, reason, language)?,
            Made::More(count) => self.templates.more(*count, &self.site.public_url, language)?,
            Made::Closing => self.templates.closing(
                &ClosingView {
                    site_name,
                    list_name,
                    contact: None,
                    public_url: &self.site.public_url,
                    unsubscribe_base: &unsubscribe_base(self.site),
                },
                language,
            )?,
        })
    }

    fn entry(
        &self,
        window: &Window,
        index: usize,
        language: Language,
        zone: Tz,
    ) -> Result<Fragment, PlanError> {
        let entry = window.entry(index);
        let found = window.found(index);
        let places: Vec<&str> = self
            .rules
            .places()
            .iter()
            .filter(|place| found.places.iter().any(|there| there.id == place.id))
            .map(|place| place.name.as_str())
            .collect();
        let source = self.source_titles.get(entry.source_id.as_str());
        let sums: Vec<u64> = found.amounts.iter().map(|sum| sum.euro_cents).collect();
        let view = EntryView {
            title: &entry.text.title,
            link: entry.text.link.as_deref(),
            source_name: source.map_or("", String::as_str),
            places: &places,
            published: entry.text.published_at.map(|at| at.in_zone(zone).date_naive()),
            deadline: found.deadline,
            deadline_time: found.deadline_time,
            codes: &codes(&found.codes),
            euro_cents: &sums,
            summary: &entry.text.summary,
            correction: entry.reason == EntryReason::Correction,
            content_language: Some(self.site.locale),
        };
        Ok(self.templates.entry(&view, language)?)
    }

    fn reason(
        &self,
        window: &Window,
        reason: &Reason,
        language: Language,
    ) -> Result<Fragment, PlanError> {
        let topics: Vec<&str> =
            reason.topics.iter().filter_map(|id| self.topic_label(id, language)).collect();
        let places: Vec<&str> = self
            .rules
            .places()
            .iter()
            .filter(|place| reason.places.contains(&place.id))
            .map(|place| place.name.as_str())
            .collect();
        let words: Vec<&str> = reason.words.iter().map(|word| window.phrase(*word)).collect();
        let view = ReasonView {
            everything: reason.everything,
            topics: &topics,
            places: &places,
            words: &words,
        };
        Ok(self.templates.reason(&view, language)?)
    }

    fn topic_label(&self, id: &TopicId, language: Language) -> Option<&str> {
        let topic = self.rules.topics().iter().find(|topic| topic.id == *id)?;
        Some(topic.label(language))
    }
}

/// What a variant tells, in its order, named by what never changes: positions in the stream. Places
/// in the window do change, since it begins earlier when somebody who was told less comes in.
fn content(window: &Window, sections: &[(Option<TopicId>, Vec<&Told>)]) -> String {
    let mut content = String::new();
    for (topic, entries) in sections {
        content.push_str(topic.as_ref().map_or("-", TopicId::as_str));
        for told in entries {
            let position = window.entry(told.index).position;
            content.push_str(&format!(" {position}{:?}", told.reason));
        }
        content.push('\n');
    }
    content
}

/// Where unsubscribe tokens lead; a token follows after a slash.
pub fn unsubscribe_base(site: &Site) -> String {
    format!("{}/u", site.public_url)
}

/// The boundary between the parts of every message of a variant.
pub fn boundary(edition: i64, variant_key: &str) -> Boundary {
    Boundary::of(&[&edition.to_string(), variant_key])
}

fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    HEXLOWER.encode(&hash.finalize()[..16])
}

/// The codes of an item with their names, as they are shown.
fn codes(codes: &Codes) -> Vec<String> {
    let named = [("CIG", &codes.cig), ("CUP", &codes.cup), ("PNRR", &codes.measure)];
    named
        .into_iter()
        .flat_map(|(name, codes)| codes.iter().map(move |code| format!("{name} {code}")))
        .collect()
}
