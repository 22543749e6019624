//! Where an item matters.

use banditore::model::PlaceId;
use banditore::topics::{Field, ItemText, Rules, municipalities};
use proptest::prelude::*;

fn rules() -> &'static Rules {
    static RULES: std::sync::OnceLock<Rules> = std::sync::OnceLock::new();
    RULES.get_or_init(Rules::built_in)
}

fn places(title: &str, text: &str) -> Vec<String> {
    let item = ItemText { title, text, categories: &[], image_alt: &[] };
    rules().classify(&item).places.into_iter().map(|place| place.id.to_string()).collect()
}

#[test]
fn the_municipalities_of_the_cremasco_are_there_with_their_codes() {
    let places = rules().places();
    assert!(places.len() >= 48, "{}", places.len());
    let crema = places.iter().find(|place| place.id.as_str() == "crema").expect("Crema");
    assert_eq!((crema.name.as_str(), crema.province.as_str()), ("Crema", "CR"));
    assert_eq!(crema.istat.as_deref(), Some("019035"));
    for place in places {
        let code = place.istat.as_deref().expect("each has a code");
        assert!(code.starts_with("019") && code.len() == 6, "{}: {code}", place.id);
    }
}

#[test]
fn a_place_counts_by_where_it_stands_and_by_the_words_before_it() {
    let none: &[&str] = &[];
    let cases: &[(&str, &str, &[&str])] = &[
        // The title beats the text.
        ("Quintano - Ecopiazzola", "Il comune di Crema aiuta.", &["quintano"]),
        ("MONTE CREMASCO: nuovo asilo", "", &["monte-cremasco"]),
        ("Lavori a Rivolta d'Adda", "", &["rivolta-d-adda"]),
        ("Lavori a Rivolta d’Adda e a Spino d’Adda", "", &["rivolta-d-adda", "spino-d-adda"]),
        // The lead says it where the title does not.
        ("Nuovo asilo", "Il Comune di Offanengo apre un asilo.", &["offanengo"]),
        ("Biblioteche", "Chiuse a Crema, Offanengo e Soncino.", &["crema", "offanengo", "soncino"]),
        // Streets, banks, people, wider districts.
        ("Chiusa via Crema", "", none),
        ("Chiusa via per Crema", "", none),
        ("Mercato in piazza a Crema", "", &["crema"]),
        ("Un contributo della Banca di Crema", "", none),
        ("La Diocesi di Crema ricorda", "", none),
        ("Premiato il maestro Luigi Crema", "", none),
        ("La dottoressa Quintano va in pensione", "", none),
        ("Nota stampa", "Crema, 12 novembre 2026. Il consorzio informa gli utenti.", none),
        ("il comune di crema chiude la piscina", "", &["crema"]),
        ("la crema è finita", "", none),
        // Words that only look alike.
        ("Provincia di Cremona: avviso", "", none),
        ("Crema solare e prevenzione", "", none),
        ("La crema dei volontari", "", none),
        ("Premio al caseificio cremasco", "", none),
        // Longer names win.
        ("Avviso a Casaletto di Sopra", "", &["casaletto-di-sopra"]),
        ("Avviso a Ripalta Cremasca", "", &["ripalta-cremasca"]),
        // Short names only after the municipality.
        ("Il Comune di Bagnolo avvisa", "", &["bagnolo-cremasco"]),
        ("Escursione al Monte", "", none),
        ("La rivolta dei contadini", "", none),
        ("Il Comune di Monte avvisa", "", &["monte-cremasco"]),
        ("Tombola a Bagnolo", "", none),
        // The whole area.
        ("Fondi ai comuni cremaschi", "Il Comune di Crema ne ha già avuti.", none),
        ("Area omogenea", "Il Sindaco di Madignano parla di scuola.", none),
        ("Zanzare", "Su tutto il territorio comunale di Sergnano.", &["sergnano"]),
        ("Fondi a Crema", "Per tutti i comuni del territorio cremasco.", &["crema"]),
    ];
    for (title, text, wanted) in cases {
        assert_eq!(places(title, text), *wanted, "{title} | {text}");
    }
}

#[test]
fn a_name_elsewhere_a_family_a_bank_or_a_street_is_no_place() {
    let none: &[&str] = &[];
    let cases: &[(&str, &str, &[&str])] = &[
        // A longer name elsewhere, and the same name in another province.
        ("Il Comune di Bagnolo Mella avvisa", "", none),
        ("Comune di Campagnola Emilia: bando", "", none),
        ("Mercato a Casaletto Lodigiano", "", none),
        ("Castelleone di Suasa in festa", "", none),
        ("Torneo a Camisano Vicentino", "", none),
        ("Torneo a Camisano (VI)", "", none),
        ("Torneo a Camisano (CR)", "", &["camisano"]),
        ("Torneo a Camisano", "", &["camisano"]),
        ("Il Comune di Monte San Pietro", "", none),
        ("Sentieri del Monte Bianco", "", none),
        ("Villa Ripalta in vendita", "", none),
        ("Il Comune di Vaiano (PO) avvisa", "", none),
        ("Gita a Lodi", "", none),
        ("Chiuse a Lodi, Crema e Soncino", "", &["crema", "soncino"]),
        // Families.
        ("Incontro con il sindaco Crema", "", none),
        ("Incontro con il sindaco di Crema", "", &["crema"]),
        ("Il consigliere Soncino interroga", "", none),
        ("Il consigliere Soncino interroga il sindaco di Crema", "", &["crema"]),
        ("Parla l'on. Crema", "", none),
        ("Premiato L. Crema", "", none),
        ("Vince Crema Luigi, di anni 12", "", none),
        ("A Crema Luigi Rossi presenta il libro", "", &["crema"]),
        ("Fratelli Quintano, cinquant'anni di attività", "", none),
        ("La signora Vailate compie cento anni", "", none),
        ("Mostra su Giovanni Crema a Offanengo", "", &["offanengo"]),
        // Banks and the like, also with longer names.
        ("Contributo della Banca di Credito Cooperativo di Crema", "", none),
        ("Rapina alla Banca Popolare di Crema", "", none),
        ("La Banca di Cremona apre a Pandino", "", &["pandino"]),
        ("L'Associazione Commercianti a Crema", "", &["crema"]),
        // Streets.
        ("Lavori in Via Quintano 12", "", none),
        ("Strada provinciale Crema-Soncino chiusa", "", none),
        ("Mercato in p.zza Crema", "", none),
        ("Piazza Castello a Pandino", "", &["pandino"]),
    ];
    for (title, text, wanted) in cases {
        assert_eq!(places(title, text), *wanted, "{title} | {text}");
    }
}

#[test]
fn a_municipality_named_in_passing_deep_in_a_long_text_does_not_count() {
    let filler = "Gli enti locali hanno davanti a loro un percorso impegnativo. ".repeat(20);
    let text = format!("{filler} Anche il Comune di Crema e il Sindaco di Crema ne parlano.");
    assert!(places("Un percorso per tutti", &text).is_empty());
}

#[test]
fn an_item_that_names_many_places_is_for_everyone() {
    let names: Vec<&str> = rules().places().iter().map(|place| place.name.as_str()).collect();
    let text = format!("Il servizio è attivo a {}.", names[..20].join(", "));
    assert!(places("Nuovo servizio", &text).is_empty());
}

#[test]
fn a_publishers_category_that_is_a_place_counts() {
    let categories = ["Crema".to_owned()];
    let item = ItemText { title: "Avviso", text: "", categories: &categories, image_alt: &[] };
    assert_eq!(rules().classify(&item).places[0].id.as_str(), "crema");
}

#[test]
fn a_broken_file_of_places_says_where() {
    let good = "[[place]]\nid = \"crema\"\nname = \"Crema\"\nprovince = \"CR\"\n";
    for (broken, line, what) in [
        (format!("{good}istat = \"35\"\n"), 5, "no ISTAT code"),
        (format!("{good}{good}"), 6, "twice"),
        (format!("{good}alias = [\"x\"]\n"), 5, "unknown field `alias`"),
        (format!("{good}aliases = [\"di\"]\n"), 5, "no word"),
        (format!("{good}not = [\"crema ... sole\"]\n"), 5, "not understood here"),
        (good.replace("\"Crema\"", "12"), 3, "invalid type"),
    ] {
        let error = Rules::compile("", &broken).expect_err(what);
        assert_eq!(error.line, Some(line), "{error}");
        assert!(error.to_string().starts_with("places.toml"), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}

/// A small file of places, with the built-in words before names.
fn with_places(places: &str) -> Rules {
    let context = Rules::PLACES.split("[area]").next().expect("text").split("[context]");
    let context = context.last().expect("context");
    Rules::compile("", &format!("{places}\n[context]\n{context}")).expect("good places")
}

fn ids(rules: &Rules) -> Vec<&str> {
    rules.places().iter().map(|place| place.id.as_str()).collect()
}

#[test]
fn every_italian_municipality_is_known_by_its_code() {
    let all = municipalities();
    assert!((7_800..8_200).contains(&all.len()), "{}", all.len());
    let find = |code| all.iter().find(|it| it.istat == code).expect("known");
    assert_eq!((find("019035").name, find("019035").province), ("Crema", "CR"));
    assert_eq!(find("021008").other_name, Some("Bozen"));
    assert!(all.iter().all(|it| it.istat.len() == 6 && it.province.len() == 2));
}

#[test]
fn an_office_names_the_few_it_serves_by_code_or_by_name_and_province() {
    let rules = with_places("serve = [\"019035\", \"Offanengo\", \"Castro (BG)\"]");
    assert_eq!(ids(&rules), ["crema", "offanengo", "castro"]);
    let crema = &rules.places()[0];
    assert_eq!((crema.name.as_str(), crema.province.as_str()), ("Crema", "CR"));
    assert_eq!(crema.istat.as_deref(), Some("019035"));
    let item = ItemText {
        title: "Mercato a Crema, Lodi e Castro",
        text: "",
        categories: &[],
        image_alt: &[],
    };
    let found = rules.classify(&item);
    let places: Vec<&str> = found.places.iter().map(|place| place.id.as_str()).collect();
    assert_eq!(places, ["crema", "castro"]);
    assert_eq!(found.elsewhere.len(), 1);
    assert_eq!((&*found.elsewhere[0].name, &*found.elsewhere[0].province), ("Lodi", "LO"));
}

#[test]
fn an_entry_of_its_own_takes_what_it_leaves_out_from_the_list() {
    let more = "serve = [\"019035\"]\n[[place]]\nistat = \"019035\"\naliases = [\"Ombriano\"]\n\
                [[place]]\nname = \"Bolzano\"\n";
    let rules = with_places(more);
    assert_eq!(ids(&rules), ["crema", "bolzano"]);
    assert_eq!(rules.places()[1].istat.as_deref(), Some("021008"));
    for title in ["Festa a Ombriano", "Markt in Bozen", "Festa a Bolzano"] {
        let item = ItemText { title, text: "", categories: &[], image_alt: &[] };
        assert_eq!(rules.classify(&item).places.len(), 1, "{title}");
    }
}

#[test]
fn places_that_cannot_be_served_are_refused_with_what_to_write() {
    for (broken, what, hint) in [
        ("serve = [\"999999\"]", "999999 is the code of no municipality", "look the code up"),
        ("serve = [\"19035\"]", "no ISTAT code", "six digits"),
        ("serve = [\"Cremaa\"]", "no municipality", "Crema"),
        ("serve = [\"Crema (MI)\"]", "no municipality", "Crema (CR)"),
        ("serve = [\"Castro\"]", "in several provinces: BG, LE", "Castro (BG)"),
        ("[[place]]\nprovince = \"CR\"", "neither a name nor an ISTAT code", "istat"),
        ("[[place]]\nid = \"x\"", "does not say the name", "add the name"),
        ("[[place]]\nname = \"Ombriano\"", "does not say the province", "add the province"),
        ("[[place]]\nname = \"Crema\"\nprovince = \"QQ\"", "of no province", "CR"),
    ] {
        let error = Rules::compile("", broken).expect_err(what);
        assert!(error.to_string().contains(what), "{broken}: {error}");
        assert!(error.hint.contains(hint), "{broken}: {}", error.hint);
    }
}

#[test]
fn what_names_no_place_has_that_of_its_source_and_what_is_for_the_whole_area_has_none() {
    let crema: PlaceId = "crema".parse().expect("an id");
    let found = |title: &str| {
        let item = ItemText { title, text: "", categories: &[], image_alt: &[] };
        rules().classify(&item).or_at(Some(&crema))
    };
    let quiet = found("Chiusura della biblioteca");
    assert_eq!(quiet.places[0].id, crema);
    assert_eq!(quiet.source_place, Some(crema.clone()), "and says where it is from");
    let own = found("Mercato a Offanengo");
    assert_eq!((own.places[0].id.as_str(), &own.source_place), ("offanengo", &None));
    let area = found("Fondi ai comuni cremaschi");
    assert!(area.places.is_empty() && area.source_place.is_none());
    assert_eq!(area.area[0].text, "comuni cremaschi");
    let elsewhere = found("Gita a Verona");
    assert_eq!(elsewhere.source_place, Some(crema.clone()), "an outing of Crema's residents");
}

/// Names, and what stands around them.
fn hostile() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("Crema".to_owned()),
        Just("Bagnolo Mella (BS)".to_owned()),
        Just("Camisano (VI".to_owned()),
        Just("tutti i comuni del territorio".to_owned()),
        Just("Comune di ".to_owned()),
        Just("L. Crema Luigi".to_owned()),
        Just("RIVOLTA D\u{2019}ADDA".to_owned()),
        "\\PC{0,8}",
        any::<String>(),
    ];
    proptest::collection::vec(word, 0..12).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn evidence_of_places_points_into_its_field_for_any_text(
        title in hostile(), text in hostile(),
    ) {
        let item = ItemText { title: &title, text: &text, categories: &[], image_alt: &[] };
        let found = rules().classify(&item);
        let places = found.places.iter().flat_map(|place| &place.evidence);
        let elsewhere = found.elsewhere.iter().map(|other| &other.evidence);
        for evidence in places.chain(&found.area).chain(elsewhere) {
            let field = if evidence.field == Field::Title { &title } else { &text };
            prop_assert_eq!(field.get(evidence.start..evidence.end), Some(&*evidence.text));
        }
    }

    #[test]
    fn no_file_of_places_makes_the_program_panic(serve in any::<String>(), name in any::<String>()) {
        let serve = toml::Value::String(serve).to_string();
        let name = toml::Value::String(name).to_string();
        let _ = Rules::compile("", &format!("serve = [{serve}]\n"));
        let _ = Rules::compile("", &format!("[[place]]\nname = {name}\nprovince = \"CR\"\n"));
    }
}
