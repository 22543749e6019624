//! Every Italian municipality, as ISTAT lists them: an installation names the few it serves, and
//! the others are known too, so that `Bagnolo Mella` is not taken for `Bagnolo Cremasco`.

use std::collections::HashMap;
use std::sync::LazyLock;

/// ISTAT's list: code, name, province, and the name in another language, between semicolons.
const LIST: &str = include_str!("../../config/municipalities.csv");

/// A municipality of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Municipality {
    /// ISTAT's code, six digits.
    pub istat: &'static str,
    /// Its Italian name.
    pub name: &'static str,
    /// The sign of its province.
    pub province: &'static str,
    /// Its name in another language of the region.
    pub other_name: Option<&'static str>,
}

/// The list, in the order of the file.
pub fn municipalities() -> &'static [Municipality] {
    static ALL: LazyLock<Vec<Municipality>> = LazyLock::new(|| {
        let lines = LIST.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(line).collect()
    });
    &ALL
}

fn line(line: &'static str) -> Option<Municipality> {
    let mut fields = line.split(';');
    let (istat, name, province) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Municipality { istat, name, province, other_name: fields.next() })
}

/// The municipality with a code.
pub(crate) fn by_code(istat: &str) -> Option<&'static Municipality> {
    static CODES: LazyLock<HashMap<&str, usize>> = LazyLock::new(|| {
        municipalities().iter().enumerate().map(|(index, it)| (it.istat, index)).collect()
    });
    CODES.get(istat).map(|&index| &municipalities()[index])
}

/// The municipalities with a name, in one province where it is given. Capitals make no difference.
pub(crate) fn by_name(name: &str, province: Option<&str>) -> Vec<&'static Municipality> {
    let wanted = name.to_lowercase();
    let is_it = |it: &&Municipality| {
        it.name.to_lowercase() == wanted
            || it.other_name.is_some_and(|other| other.to_lowercase() == wanted)
    };
    let there = |it: &&Municipality| province.is_none_or(|sign| it.province == sign);
    municipalities().iter().filter(there).filter(is_it).collect()
}

/// The name in the list that is most like a misspelt one.
pub(crate) fn nearest(name: &str) -> Option<&'static Municipality> {
    /// Names less like it than this are other names (Jaro–Winkler).
    const LIKENESS_MIN: f64 = 0.85;
    let wanted = name.to_lowercase();
    municipalities()
        .iter()
        .map(|it| (strsim::jaro_winkler(&it.name.to_lowercase(), &wanted), it))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, it)| it)
}

/// Whether two letters are the sign of a province.
pub(crate) fn is_province(sign: &str) -> bool {
    static SIGNS: LazyLock<std::collections::HashSet<&str>> =
        LazyLock::new(|| municipalities().iter().map(|it| it.province).collect());
    SIGNS.contains(sign)
}

/// A name as an id: small letters and hyphens, `rivolta-d-adda`.
pub(crate) fn slug(name: &str) -> String {
    let folded = name.split(|c: char| !c.is_alphanumeric()).map(super::analysis::fold);
    folded.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}
