//! Where an item matters. A name counts by where it stands and by the words before it: a street, a
//! bank or a person of the same name is no place, and a municipality named in passing is not what
//! an item is about.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::analysis::{Analysis, Token};
use super::cover::{Cover, Part};
use super::municipalities::{Municipality, is_province};
use super::{Classification, Evidence, Field, PlaceMatch};
use crate::model::PlaceId;

/// The most municipalities elsewhere that are kept of an item.
pub const ELSEWHERE_MAX: usize = 20;

/// An item that names more places than this is for the whole area.
const PLACES_MAX: usize = 8;

/// What a place needs to be what an item is about.
const THRESHOLD: u32 = 4;
/// What a mention in the title counts.
const TITLE: u32 = 8;
/// What a mention in the lead counts that says "of", "at" or "the municipality of", or begins a
/// sentence; or a category of the publisher.
const LOCATED: u32 = 4;
/// What any other mention in the lead, or one in an image's text, counts.
const NAMED: u32 = 2;
/// What a mention after the lead counts.
const PASSING: u32 = 1;

/// The prepositions that put something at a place or make it the place's own.
const LOCATIVE: &[&str] = &["a", "ad", "di", "da", "in", "per", "presso", "verso"];

/// A place that is served.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its id.
    pub id: PlaceId,
    /// Its name.
    pub name: String,
    /// The sign of its province: `CR`.
    pub province: String,
    /// ISTAT's code of the municipality, six digits, where it is given.
    pub istat: Option<String>,
}

/// A municipality that is not served, named in an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    /// Its name.
    pub name: String,
    /// The sign of its province.
    pub province: String,
    /// ISTAT's code.
    pub istat: String,
    /// Where it is named first.
    pub evidence: Evidence,
}

/// The words before a name.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub streets: BTreeSet<String>,
    pub others: BTreeSet<String>,
    pub first_names: BTreeSet<String>,
    pub titles: BTreeSet<String>,
    pub municipality: BTreeSet<String>,
    /// The municipalities that are not served, numbered on from the places that are.
    pub elsewhere: Vec<&'static Municipality>,
}

/// A name found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mention {
    pub place: usize,
    /// It needs a word before it that says that it is a municipality.
    pub short: bool,
    /// Its first and its last token.
    pub tokens: (usize, usize),
}

/// What one field says about places.
#[derive(Debug, Default)]
pub(crate) struct FieldPlaces {
    pub mentions: Vec<Mention>,
    /// The first and the last token of each phrase that means the whole area.
    pub areas: Vec<(usize, usize)>,
}

/// What the words before a mention make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sense {
    /// A street, a bank, a person.
    Other,
    /// The municipality itself.
    Municipality,
    /// At, of, from the place, or the place at the head of a sentence.
    Located,
    /// Just the name.
    Named,
}

fn sense(field: &PlaceField<'_>, mention: &Mention, sign: &str, context: &Context) -> Sense {
    let tokens = &field.analysis.tokens;
    let first = mention.tokens.0;
    match province_after(field.written, tokens, mention.tokens.1) {
        Some(said) if said.eq_ignore_ascii_case(sign) => return Sense::Municipality,
        Some(_) => return Sense::Other,
        None => {}
    }
    if tokens[first].starts_sentence {
        let capital = tokens[first].capital && !is_dateline(tokens, mention.tokens.1 + 1);
        return if capital { Sense::Located } else { Sense::Other };
    }
    let before = &tokens[..first];
    let said = |set: &BTreeSet<String>, token: Option<&Token>| {
        token.is_some_and(|token| set.contains(&token.folded))
    };
    let last = before.last();
    let content = before.iter().rev().take(4).find(|token| !token.is_function_word());
    // `via Crema`, `via per Crema`, `via Antonio Crema`; but `in piazza a Crema` is at Crema.
    let street = match last {
        Some(token) if token.folded == "per" || (token.capital && !token.is_function_word()) => {
            said(&context.streets, before.iter().rev().nth(1))
        }
        _ => false,
    };
    if street
        || is_person(field, mention, context)
        || said(&context.streets, last)
        || said(&context.others, content)
    {
        Sense::Other
    } else if said(&context.municipality, content) {
        Sense::Municipality
    } else if !tokens[first].capital || is_institution(before, context) {
        Sense::Other
    } else if last.is_some_and(|token| LOCATIVE.contains(&token.folded.as_str())) {
        Sense::Located
    } else {
        Sense::Named
    }
}

/// `Luigi Crema`, `L. Crema`, `il consigliere Crema`, `Crema Luigi`; but `a Crema Luigi Rossi` is
/// at Crema.
fn is_person(field: &PlaceField<'_>, mention: &Mention, context: &Context) -> bool {
    let tokens = &field.analysis.tokens;
    let (first, last) = mention.tokens;
    let beside = |from: &Token, to: &Token| field.written[from.span.end..to.span.start].trim();
    let before = first.checked_sub(1).map(|before| &tokens[before]);
    let after = tokens.get(last + 1).filter(|after| {
        let given = after.capital && context.first_names.contains(&after.folded);
        given && beside(&tokens[last], after).is_empty()
    });
    let Some(before) = before else { return false };
    let word = before.folded.as_str();
    let gap = beside(before, &tokens[first]);
    let named = before.capital && context.first_names.contains(word) && gap.is_empty();
    let initial = before.capital && word.len() == 1 && gap == ".";
    let titled = context.titles.contains(word) && matches!(gap, "" | ".");
    named || initial || titled || (after.is_some() && !LOCATIVE.contains(&word))
}

/// How many words with capitals the name of an institution has before its place.
const INSTITUTION_WORDS_MAX: usize = 4;
/// How many words it has with its articles and prepositions.
const INSTITUTION_ALL_WORDS_MAX: usize = 8;

/// `Banca Popolare di Crema`, `Banca di Credito Cooperativo di Crema`: what stands before is one
/// name that begins with a bank or the like.
fn is_institution(before: &[Token], context: &Context) -> bool {
    let of = before.last().is_some_and(|token| token.folded == "di");
    let near = before.iter().rev().take(INSTITUTION_ALL_WORDS_MAX);
    let name = near.take_while(|token| token.capital || token.is_function_word());
    let mut words = name.filter(|token| !token.is_function_word()).take(INSTITUTION_WORDS_MAX);
    of && words.any(|token| context.others.contains(&token.folded))
}

/// The province in brackets after a name: `Camisano (VI)`.
fn province_after<'a>(written: &str, tokens: &'a [Token], last: usize) -> Option<&'a str> {
    let next = tokens.get(last + 1).filter(|token| token.capital)?;
    let between = &written[tokens[last].span.end..next.span.start];
    let closed = written[next.span.end..].starts_with(')');
    let sign = next.folded.as_str();
    (between.trim() == "(" && closed && is_province(&sign.to_uppercase())).then_some(sign)
}

/// `Crema, 12 novembre 2026`, `Crema lì 12.11.2026`: where something was written, not what about.
fn is_dateline(tokens: &[Token], next: usize) -> bool {
    let skipped = usize::from(tokens.get(next).is_some_and(|token| token.folded == "li"));
    tokens
        .get(next + skipped)
        .is_some_and(|token| token.folded.starts_with(|c: char| c.is_ascii_digit()))
}

/// What one field has to say, for [`decide`].
pub(crate) struct PlaceField<'a> {
    pub field: Field,
    pub written: &'a str,
    pub analysis: &'a Analysis,
    pub found: FieldPlaces,
}

/// Where an item matters.
pub(crate) struct Decided {
    pub places: Vec<PlaceMatch>,
    pub area: Vec<Evidence>,
    pub elsewhere: Vec<Elsewhere>,
}

/// Decides where an item matters.
pub(crate) fn decide(
    places: &[Place],
    context: &Context,
    lead_words: usize,
    fields: &[PlaceField<'_>],
) -> Decided {
    let mut tally = Tally::default();
    for field in fields {
        tally.read(places, context, lead_words, field);
    }
    // The title says what an item is about; the lead, where the title names no place and the lead
    // did not begin with the whole area.
    let titled = tally.titled.clone();
    let whole_area = titled.is_empty() && tally.area_first();
    let mut found: Vec<(usize, Vec<Evidence>)> = tally
        .places
        .into_iter()
        .filter(|(place, (score, _))| match titled.is_empty() {
            true => *score >= THRESHOLD && !whole_area,
            false => titled.contains(place),
        })
        .map(|(place, (_, evidence))| (place, evidence))
        .collect();
    let mut area = if whole_area { tally.area } else { Vec::new() };
    if found.len() > PLACES_MAX {
        // Named one by one, they are the whole area all the same.
        area.extend(found.drain(..).flat_map(|(_, evidence)| evidence.into_iter().take(1)));
        area.truncate(super::EVIDENCE_MAX);
    }
    let id = |place: usize| places[place].id.clone();
    let places =
        found.into_iter().map(|(place, evidence)| PlaceMatch { id: id(place), evidence }).collect();
    Decided { places, area, elsewhere: tally.elsewhere }
}

impl Classification {
    /// With the place of the item's source, where it names neither a place nor the whole area.
    #[must_use]
    pub fn or_at(mut self, source_place: Option<&PlaceId>) -> Self {
        if let Some(place) = source_place
            && self.places.is_empty()
            && self.area.is_empty()
        {
            self.source_place = Some(place.clone());
            self.places.push(PlaceMatch { id: place.clone(), evidence: Vec::new() });
        }
        self
    }
}

#[derive(Default)]
struct Tally {
    places: BTreeMap<usize, (u32, Vec<Evidence>)>,
    titled: BTreeSet<usize>,
    area_in_title: bool,
    /// The first token of the text that means the whole area, and the first that names a place.
    first_area: Option<usize>,
    first_place: Option<usize>,
    area: Vec<Evidence>,
    elsewhere: Vec<Elsewhere>,
}

impl Tally {
    fn area_first(&self) -> bool {
        let earlier = match (self.first_area, self.first_place) {
            (Some(area), Some(place)) => area < place,
            (area, _) => area.is_some(),
        };
        self.area_in_title || earlier
    }

    fn read(
        &mut self,
        places: &[Place],
        context: &Context,
        lead_words: usize,
        field: &PlaceField<'_>,
    ) {
        match field.field {
            Field::Title => self.area_in_title |= !field.found.areas.is_empty(),
            Field::Text => {
                let first = field.found.areas.iter().map(|&(at, _)| at);
                self.first_area = first.into_iter().find(|&at| at < lead_words);
            }
            Field::Category | Field::Image => {}
        }
        for &(first, last) in &field.found.areas {
            if self.area.len() < super::EVIDENCE_MAX && field.field != Field::Category {
                self.area.push(evidence(field, (first, last), "the whole area".to_owned()));
            }
        }
        let mut previous: Option<(usize, Sense)> = None;
        for mention in &field.found.mentions {
            let other = mention.place.checked_sub(places.len());
            let other = other.and_then(|number| context.elsewhere.get(number));
            let sign = match other {
                Some(municipality) => municipality.province,
                None => &places[mention.place].province,
            };
            let mut sense = sense(field, mention, sign, context);
            // `a Crema, Offanengo e Soncino`: what is said of the first is said of all.
            if let (Sense::Named, Some((end, before))) = (sense, previous)
                && enumerated(&field.analysis.tokens, end, mention.tokens.0)
            {
                sense = before;
            }
            previous = Some((mention.tokens.1, sense));
            if let Some(municipality) = other {
                self.count_elsewhere(municipality, lead_words, field, mention, sense);
                continue;
            }
            if sense == Sense::Other || (mention.short && sense != Sense::Municipality) {
                continue;
            }
            self.count(places, lead_words, field, mention, sense);
        }
    }

    fn count(
        &mut self,
        places: &[Place],
        lead_words: usize,
        field: &PlaceField<'_>,
        mention: &Mention,
        sense: Sense,
    ) {
        let lead = mention.tokens.0 < lead_words;
        let weight = match (field.field, sense) {
            (Field::Title, _) => TITLE,
            (Field::Text, Sense::Municipality | Sense::Located) if lead => LOCATED,
            (Field::Category, _) => LOCATED,
            (Field::Text, _) if lead => NAMED,
            (Field::Image, _) => NAMED,
            (Field::Text, _) => PASSING,
        };
        if field.field == Field::Title {
            self.titled.insert(mention.place);
        }
        if field.field == Field::Text && lead && self.first_place.is_none() {
            self.first_place = Some(mention.tokens.0);
        }
        let (score, kept) = self.places.entry(mention.place).or_default();
        if weight > PASSING {
            *score += weight;
        }
        if kept.len() < super::EVIDENCE_MAX {
            let place = &places[mention.place];
            kept.push(evidence(field, mention.tokens, format!("{}: {}", place.id, place.name)));
        }
    }

    /// A municipality that is not served: kept where it is plainly one, for whoever asks why the
    /// item has no place. Names that are words too (`Fondi`, `Massa`) need more than a capital.
    fn count_elsewhere(
        &mut self,
        municipality: &Municipality,
        lead_words: usize,
        field: &PlaceField<'_>,
        mention: &Mention,
        sense: Sense,
    ) {
        let lead = matches!(field.field, Field::Title) || mention.tokens.0 < lead_words;
        let plain = match sense {
            Sense::Municipality => true,
            Sense::Located => !field.analysis.tokens[mention.tokens.0].starts_sentence,
            Sense::Named | Sense::Other => false,
        };
        let known = self.elsewhere.iter().any(|known| known.istat == municipality.istat);
        if lead && plain && !known && self.elsewhere.len() < ELSEWHERE_MAX {
            let Municipality { istat, name, province, .. } = *municipality;
            self.elsewhere.push(Elsewhere {
                name: name.to_owned(),
                province: province.to_owned(),
                istat: istat.to_owned(),
                evidence: evidence(field, mention.tokens, format!("elsewhere: {name}")),
            });
        }
    }
}

/// The words from one token to another.
fn evidence(field: &PlaceField<'_>, (first, last): (usize, usize), rule: String) -> Evidence {
    let tokens = &field.analysis.tokens;
    let (start, end) = (tokens[first].span.start, tokens[last].span.end);
    Evidence { rule, text: field.written[start..end].to_owned(), field: field.field, start, end }
}

/// Whether two names stand side by side in an enumeration.
fn enumerated(tokens: &[Token], last: usize, first: usize) -> bool {
    tokens[last + 1..first].iter().all(|token| matches!(token.folded.as_str(), "e" | "ed" | "o"))
}

/// The mentions of a field: of overlapping names the longest counts, and none inside a phrase that
/// is said to mean something else.
pub(crate) fn longest(
    mut parts: Vec<(Part, Mention)>,
    hidden: &BTreeMap<usize, Cover>,
) -> Vec<Mention> {
    parts.sort_by_key(|(part, _)| (part.first, usize::MAX - part.end));
    let mut end = 0;
    let mut kept = Vec::new();
    for (part, mention) in parts {
        let inside = part.end <= end;
        end = end.max(part.end);
        let other = hidden.get(&mention.place).is_some_and(|cover| cover.hides(part));
        if !inside && !other {
            kept.push(mention);
        }
    }
    kept
}
