//! Where an item matters. A name counts by where it stands and by the words before it: a street, a
//! bank or a person of the same name is no place, and a municipality named in passing is not what
//! an item is about.

use std::collections::{BTreeMap, BTreeSet};

use super::analysis::{Analysis, Token};
use super::compile::{User, id, phrase_error, single};
use super::cover::{Cover, Part};
use super::file::{PlaceFile, PlacesFile, RulesError, Text};
use super::phrases::Index;
use super::{Evidence, Field, PlaceMatch, phrases};
use crate::model::PlaceId;

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

/// The words before a name.
#[derive(Debug, Default)]
pub(crate) struct Context {
    streets: BTreeSet<String>,
    others: BTreeSet<String>,
    first_names: BTreeSet<String>,
    municipality: BTreeSet<String>,
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
    /// The first token of each phrase that means the whole area.
    pub areas: Vec<usize>,
}

/// Reads the places, and puts their names into the index.
pub(crate) fn compile(
    text: Text<'_>,
    file: &PlacesFile,
    index: &mut Index,
    users: &mut Vec<(usize, User)>,
) -> Result<(Vec<Place>, Context), RulesError> {
    let mut places: Vec<Place> = Vec::new();
    let mut seen = BTreeMap::new();
    for (number, entry) in file.place.iter().enumerate() {
        let id: PlaceId = id(text, &entry.id)?;
        if let Some(before) = seen.insert(id.clone(), number) {
            let what = format!("the place id {id} is there twice, as number {} too", before + 1);
            return Err(text.error(entry.id.span().start, what, "give each place its own id"));
        }
        names(text, entry, number, index, users)?;
        for hidden in &entry.hidden {
            users.push((index.add(single(text, hidden)?), User::NotPlace(number)));
        }
        let istat = entry.istat.as_ref().map(|code| istat(text, code)).transpose()?;
        let (name, province) = (entry.name.as_ref().clone(), entry.province.clone());
        places.push(Place { id, name, province, istat });
    }
    for (phrases, user) in [(&file.area.phrases, User::Area), (&file.area.hidden, User::NotArea)] {
        for phrase in phrases {
            users.push((index.add(single(text, phrase)?), user));
        }
    }
    Ok((places, context(file)))
}

fn names(
    text: Text<'_>,
    entry: &PlaceFile,
    place: usize,
    index: &mut Index,
    users: &mut Vec<(usize, User)>,
) -> Result<(), RulesError> {
    let names = std::iter::once((&entry.name, entry.ambiguous))
        .chain(entry.aliases.iter().map(|name| (name, false)))
        .chain(entry.short_names.iter().map(|name| (name, true)));
    for (name, short) in names {
        let pattern = phrases::name(name.as_ref()).map_err(phrase_error(text, name))?;
        users.push((index.add(pattern), User::Place { place, short }));
    }
    Ok(())
}

fn istat(text: Text<'_>, code: &toml::Spanned<String>) -> Result<String, RulesError> {
    let digits = code.as_ref();
    if digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(digits.clone());
    }
    let what = format!("{digits:?} is no ISTAT code");
    Err(text.error(code.span().start, what, "write its six digits in quotation marks"))
}

fn context(file: &PlacesFile) -> Context {
    let set = |words: &[toml::Spanned<String>]| {
        words.iter().map(|word| super::analysis::fold(word.as_ref())).collect()
    };
    Context {
        streets: set(&file.context.streets),
        others: set(&file.context.others),
        first_names: set(&file.context.first_names),
        municipality: set(&file.context.municipality),
    }
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

fn sense(analysis: &Analysis, mention: &Mention, context: &Context) -> Sense {
    let tokens = &analysis.tokens;
    let first = mention.tokens.0;
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
    let family = last.is_some_and(|token| token.capital) && said(&context.first_names, last);
    if street || family || said(&context.streets, last) || said(&context.others, content) {
        Sense::Other
    } else if said(&context.municipality, content) {
        Sense::Municipality
    } else if !tokens[first].capital {
        Sense::Other
    } else if last.is_some_and(|token| LOCATIVE.contains(&token.folded.as_str())) {
        Sense::Located
    } else {
        Sense::Named
    }
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

/// Decides where an item matters.
pub(crate) fn decide(
    places: &[Place],
    context: &Context,
    lead_words: usize,
    fields: &[PlaceField<'_>],
) -> Vec<PlaceMatch> {
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
    if found.len() > PLACES_MAX {
        found.clear();
    }
    let id = |place: usize| places[place].id.clone();
    found.into_iter().map(|(place, evidence)| PlaceMatch { id: id(place), evidence }).collect()
}

#[derive(Default)]
struct Tally {
    places: BTreeMap<usize, (u32, Vec<Evidence>)>,
    titled: BTreeSet<usize>,
    area_in_title: bool,
    /// The first token of the text that means the whole area, and the first that names a place.
    first_area: Option<usize>,
    first_place: Option<usize>,
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
                self.first_area = field.found.areas.iter().copied().find(|&at| at < lead_words);
            }
            Field::Category | Field::Image => {}
        }
        let mut previous: Option<(usize, Sense)> = None;
        for mention in &field.found.mentions {
            let mut sense = sense(field.analysis, mention, context);
            // `a Crema, Offanengo e Soncino`: what is said of the first is said of all.
            if let (Sense::Named, Some((end, before))) = (sense, previous)
                && enumerated(&field.analysis.tokens, end, mention.tokens.0)
            {
                sense = before;
            }
            previous = Some((mention.tokens.1, sense));
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
        let tokens = &field.analysis.tokens;
        let (start, end) = (tokens[mention.tokens.0].span.start, tokens[mention.tokens.1].span.end);
        let (score, evidence) = self.places.entry(mention.place).or_default();
        if weight > PASSING {
            *score += weight;
        }
        if evidence.len() < super::EVIDENCE_MAX {
            evidence.push(Evidence {
                rule: format!("{}: {}", places[mention.place].id, places[mention.place].name),
                text: field.written[start..end].to_owned(),
                field: field.field,
                start,
                end,
            });
        }
    }
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
