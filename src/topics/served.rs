//! From the file of places to the places that are served, and to the names of all others.

use std::collections::{BTreeMap, HashSet};

use toml::Spanned;

use super::compile::{User, id, phrase_error, single};
use super::file::{PlaceFile, PlacesFile, RulesError, Text};
use super::municipalities::{
    Municipality, by_code, by_name, is_province, municipalities, nearest, slug,
};
use super::phrases::Index;
use super::places::{Context, Place};
use super::{analysis, phrases};
use crate::model::PlaceId;

/// Digits of an ISTAT code.
const ISTAT_DIGITS: usize = 6;

/// Reads the places, and puts their names and those of all other municipalities into the index.
pub(crate) fn compile(
    text: Text<'_>,
    file: &PlacesFile,
    index: &mut Index,
    users: &mut Vec<(usize, User)>,
) -> Result<(Vec<Place>, Context), RulesError> {
    let mut served = Served { text, index, users, places: Vec::new(), seen: BTreeMap::new() };
    for entry in &file.place {
        served.entry(entry)?;
    }
    for written in &file.serve {
        served.named(written)?;
    }
    let elsewhere = served.elsewhere();
    let Served { places, index, users, .. } = served;
    for (phrases, user) in [(&file.area.phrases, User::Area), (&file.area.hidden, User::NotArea)] {
        for phrase in phrases {
            users.push((index.add(single(text, phrase)?), user));
        }
    }
    Ok((places, context(file, elsewhere)))
}

struct Served<'a, 'i> {
    text: Text<'a>,
    index: &'i mut Index,
    users: &'i mut Vec<(usize, User)>,
    places: Vec<Place>,
    seen: BTreeMap<PlaceId, usize>,
}

impl Served<'_, '_> {
    /// A `[[place]]`: what it does not say, ISTAT's list does.
    fn entry(&mut self, entry: &PlaceFile) -> Result<(), RulesError> {
        let text = self.text;
        let PlaceFile { id: written_id, name, province, istat: code, .. } = entry;
        let Some(at) = written_id.as_ref().or(name.as_ref()).or(code.as_ref()) else {
            let hint = "add name = \"…\", or istat = \"…\" with its six digits";
            return Err(text.error(0, "a place has neither a name nor an ISTAT code", hint));
        };
        let at = at.span().start;
        let code = code.as_ref().map(|code| istat(text, code)).transpose()?;
        if let Some(sign) = province {
            self.province(sign)?;
        }
        let sign = province.as_ref().map(|sign| sign.as_ref().as_str());
        let known = match (&code, name) {
            (Some(code), _) => by_code(code),
            (None, Some(name)) => match by_name(name.as_ref(), sign)[..] {
                [only] => Some(only),
                _ => None,
            },
            (None, None) => None,
        };
        let missing = |what: &str| {
            let hint = format!("add the {what}");
            text.error(at, format!("ISTAT's list does not say the {what} of this place"), hint)
        };
        let known_name = known.map(|known| known.name.to_owned());
        let called = name.as_ref().map(|name| name.as_ref().clone()).or(known_name);
        let called = called.ok_or_else(|| missing("name"))?;
        let sign = sign.or(known.map(|known| known.province)).ok_or_else(|| missing("province"))?;
        let place_id = match written_id {
            Some(written) => id(text, written)?,
            None => slug(&called).parse().map_err(|_| missing("id"))?,
        };
        let number = self.take(
            Place {
                id: place_id,
                name: called.clone(),
                province: sign.to_owned(),
                istat: code.or(known.map(|known| known.istat.to_owned())),
            },
            at,
        )?;
        match name {
            Some(name) => self.name(name, number, entry.ambiguous)?,
            None => self.listed(&called, number, entry.ambiguous),
        }
        if let Some(other) = known.and_then(|known| known.other_name) {
            self.listed(other, number, entry.ambiguous);
        }
        for (names, short) in [(&entry.aliases, false), (&entry.short_names, true)] {
            for name in names {
                self.name(name, number, short)?;
            }
        }
        for hidden in &entry.hidden {
            let pattern = single(text, hidden)?;
            self.users.push((self.index.add(pattern), User::NotPlace(number)));
        }
        Ok(())
    }

    /// One of `serve`: a code, or a name with its province. An entry of its own says more.
    fn named(&mut self, written: &Spanned<String>) -> Result<(), RulesError> {
        let known = listed(self.text, written)?;
        if self.places.iter().any(|place| place.istat.as_deref() == Some(known.istat)) {
            return Ok(());
        }
        let at = written.span().start;
        let plain = slug(known.name);
        let taken = |id: &str| self.seen.keys().any(|seen| seen.as_str() == id);
        let place_id = if taken(&plain) {
            format!("{plain}-{}", known.province.to_lowercase())
        } else {
            plain
        };
        let id = place_id.parse().map_err(|_| {
            let what = format!("{} gives no id", known.name);
            self.text.error(at, what, "give it a [[place]] with an id")
        })?;
        let number = self.take(
            Place {
                id,
                name: known.name.to_owned(),
                province: known.province.to_owned(),
                istat: Some(known.istat.to_owned()),
            },
            at,
        )?;
        self.listed(known.name, number, false);
        if let Some(other) = known.other_name {
            self.listed(other, number, false);
        }
        Ok(())
    }

    fn take(&mut self, place: Place, at: usize) -> Result<usize, RulesError> {
        let number = self.places.len();
        if let Some(before) = self.seen.insert(place.id.clone(), number) {
            let id = &place.id;
            let what = format!("the place id {id} is there twice, as number {} too", before + 1);
            return Err(self.text.error(at, what, "give each place its own id"));
        }
        self.places.push(place);
        Ok(number)
    }

    fn province(&self, sign: &Spanned<String>) -> Result<(), RulesError> {
        if is_province(sign.as_ref()) {
            return Ok(());
        }
        let what = format!("{:?} is the sign of no province", sign.as_ref());
        Err(self.text.error(sign.span().start, what, "write two capitals, such as \"CR\""))
    }

    /// A name that a person wrote.
    fn name(
        &mut self,
        name: &Spanned<String>,
        place: usize,
        short: bool,
    ) -> Result<(), RulesError> {
        let pattern = phrases::name(name.as_ref()).map_err(phrase_error(self.text, name))?;
        self.users.push((self.index.add(pattern), User::Place { place, short }));
        Ok(())
    }

    /// A name of the list.
    fn listed(&mut self, name: &str, place: usize, short: bool) {
        if let Ok(pattern) = phrases::name(name) {
            self.users.push((self.index.add(pattern), User::Place { place, short }));
        }
    }

    /// The municipalities that are not served, numbered on from those that are. One that is called
    /// like a place that is served is left out: there the name means the place that is served.
    fn elsewhere(&mut self) -> Vec<&'static Municipality> {
        if self.places.is_empty() {
            return Vec::new();
        }
        let named = |(pattern, user): &(usize, User)| {
            matches!(user, User::Place { .. }).then_some(*pattern)
        };
        let own: HashSet<usize> = self.users.iter().filter_map(named).collect();
        let codes: HashSet<String> =
            self.places.iter().filter_map(|place| place.istat.clone()).collect();
        let mut elsewhere = Vec::new();
        for other in municipalities().iter().filter(|other| !codes.contains(other.istat)) {
            let Ok(pattern) = phrases::name(other.name) else { continue };
            let pattern = self.index.add(pattern);
            if !own.contains(&pattern) {
                let place = self.places.len() + elsewhere.len();
                self.users.push((pattern, User::Place { place, short: false }));
                elsewhere.push(other);
            }
        }
        elsewhere
    }
}

fn istat(text: Text<'_>, code: &Spanned<String>) -> Result<String, RulesError> {
    let digits = code.as_ref();
    if digits.len() == ISTAT_DIGITS && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(digits.clone());
    }
    let what = format!("{digits:?} is no ISTAT code");
    Err(text.error(code.span().start, what, "write its six digits in quotation marks"))
}

/// The municipality of the list that is meant.
fn listed(text: Text<'_>, written: &Spanned<String>) -> Result<&'static Municipality, RulesError> {
    let at = written.span().start;
    let named = written.as_ref().trim();
    if named.starts_with(|c: char| c.is_ascii_digit()) {
        let code = istat(text, written)?;
        return by_code(&code).ok_or_else(|| {
            let what = format!("{code} is the code of no municipality of ISTAT's list");
            let hint = "look the code up, or give the place a [[place]] with name and province";
            text.error(at, what, hint)
        });
    }
    let (name, province) = match named.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
        Some((name, sign)) => (name.trim(), Some(sign.trim())),
        None => (named, None),
    };
    match by_name(name, province)[..] {
        [only] => Ok(only),
        [] => {
            let what = format!("{named:?} is no municipality of ISTAT's list");
            let hint = match nearest(name) {
                Some(near) => format!("write \"{} ({})\"", near.name, near.province),
                None => "write \"Crema (CR)\", or the six digits of its code".to_owned(),
            };
            Err(text.error(at, what, hint))
        }
        ref several => {
            let signs: Vec<&str> = several.iter().map(|it| it.province).collect();
            let what = format!("{name} is in several provinces: {}", signs.join(", "));
            Err(text.error(at, what, format!("write \"{name} ({})\"", signs[0])))
        }
    }
}

fn context(file: &PlacesFile, elsewhere: Vec<&'static Municipality>) -> Context {
    let set = |words: &[Spanned<String>]| {
        words.iter().map(|word| analysis::fold(word.as_ref())).collect()
    };
    Context {
        streets: set(&file.context.streets),
        others: set(&file.context.others),
        first_names: set(&file.context.first_names),
        titles: set(&file.context.titles),
        municipality: set(&file.context.municipality),
        elsewhere,
    }
}
