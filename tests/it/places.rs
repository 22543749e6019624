//! Where an item matters.

use banditore::topics::{ItemText, Rules};

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
