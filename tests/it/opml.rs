//! Sources come from other readers and go to them.

use banditore::ingest::{OPML_DEPTH_MAX, OpmlError, read_opml};
use serde_json::Value;

use crate::program::Office;

const FILE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE opml [<!ENTITY x "y">]>
<opml version="2.0">
  <head><title>Miei</title><outline xmlUrl="https://example.org/head"/></head>
  <body>
    <outline text="Comuni">
      <outline text="Città di Crema &amp; dintorni" type="rss"
        xmlUrl="https://www.crema.example/feed?a=1&amp;b=2" htmlUrl="https://www.crema.example/"/>
      <outline text="Provincia">
        <outline title="Avvisi" text="altro" xmlurl=" https://prov.example/rss "/>
      </outline>
    </outline>
    <outline text="Avvisi" xmlUrl="https://other.example/rss"/>
    <outline text="Di nuovo" xmlUrl="https://other.example/rss"/>
    <outline text="Segnalibro" type="link" url="https://bookmark.example/"/>
    <outline text="File" xmlUrl="file:///etc/passwd"/>
    <outline text="Niente" xmlUrl="no address"/>
    <outline xmlUrl="https://www.senza-titolo.example/atom"/>
  </body>
</opml>
"#;

fn office(text: &str) -> Office {
    let office = Office::with(1, "");
    office.run(&["migrate"]).done();
    office.write("sources.opml", text);
    office
}

fn ids(imported: &Value) -> Vec<&str> {
    imported["added"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

#[test]
fn sources_are_imported_with_folders_titles_and_ids_and_what_is_bad_is_refused_with_its_line() {
    let office = office(FILE);
    let dry =
        office.run(&["source", "import", "sources.opml", "--dry-run", "--json"]).done().json();
    assert_eq!(office.run(&["source", "list", "--json"]).done().json(), Value::Array(vec![]));
    let imported = office.run(&["source", "import", "sources.opml", "--json"]).done().json();
    assert_eq!(dry, imported, "a dry run says what happens");
    let wanted = ["citta-di-crema-dintorni", "avvisi", "avvisi-2", "www-senza-titolo-example"];
    assert_eq!(ids(&imported), wanted);
    assert_eq!((&imported["outlines"], &imported["known"]), (&7.into(), &1.into()));
    let second = &imported["added"][1];
    assert_eq!(second["folder"], serde_json::json!(["Comuni", "Provincia"]));
    assert_eq!(second["url"], "https://prov.example/rss");
    let refused = imported["refused"].as_array().unwrap();
    let lines: Vec<i64> = refused.iter().map(|row| row["line"].as_i64().unwrap()).collect();
    assert_eq!(lines, [16, 17]);
    assert!(refused[0]["reason"].as_str().unwrap().starts_with("file:"), "{refused:?}");
    let listed = office.run(&["source", "list", "--json"]).done().json();
    let crema = listed.as_array().unwrap().iter().find(|one| one["id"] == wanted[0]).unwrap();
    assert_eq!(crema["title"], "Città di Crema & dintorni");
    assert_eq!(crema["url"], "https://www.crema.example/feed?a=1&b=2");
    let again = office.run(&["source", "import", "sources.opml", "--json"]).done().json();
    assert_eq!((ids(&again).len(), &again["known"]), (0, &5.into()));
    let traced = office.run(&["trace", "--source", "avvisi", "--json"]).done().json_lines();
    assert_eq!(traced[0]["action"], "source.added");
}

#[test]
fn what_is_exported_comes_back_as_it_was() {
    let office = office(FILE);
    office.run(&["source", "import", "sources.opml"]).done();
    let add = ["source", "add", "novita", "https://user:geheim@page.example/n", "--kind", "page"];
    office.run(&[&add[..], &["--every", "2h"]].concat()).done();
    office.run(&["source", "export", "--out", "out.opml"]).done();
    let text = office.read("out.opml");
    assert!(!text.contains("geheim"), "{text}");
    assert_eq!(office.run(&["source", "export"]).done().out, text);
    let other = Office::with(1, "");
    other.run(&["migrate"]).done();
    other.write("in.opml", &text);
    other.run(&["source", "import", "in.opml"]).done();
    other.run(&["source", "export", "--out", "out.opml"]).done();
    assert_eq!(other.read("out.opml"), text);
    let list = |office: &Office| {
        let listed = office.run(&["source", "list", "--json"]).done().json();
        let rows = listed.as_array().unwrap().iter();
        rows.map(|one| format!("{} {}", one["id"], one["interval_seconds"])).collect::<Vec<_>>()
    };
    assert_eq!(list(&other).len(), 5);
    assert_eq!(list(&other), list(&office));
}

#[test]
fn what_is_no_list_of_sources_is_refused_and_nothing_is_written() {
    for (text, wanted) in [
        ("", "no <opml>"),
        ("<rss><channel/></rss>", "no <opml>"),
        ("<opml><body>\n<outline text='a\n", "line 2"),
        ("<opml><body>\n\n<outline text='&undeclared;' xmlUrl='https://a.example/'/>", "line 3"),
        ("<opml><body><outline></body></opml>", "line 1"),
    ] {
        let office = office(text);
        let error = office.run(&["source", "import", "sources.opml"]).refused(2);
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
    office("").run(&["source", "import", "absent.opml"]).refused(2);
}

#[test]
fn a_list_that_is_too_much_is_refused() {
    let nested = format!("<opml><body>{}", "<outline text='a'>".repeat(OPML_DEPTH_MAX + 1));
    let error = read_opml(nested.as_bytes()).unwrap_err();
    assert!(matches!(error, OpmlError::TooMuch { .. }), "{error}");
    let many = "<outline xmlUrl='https://a.example/'/>".repeat(5_001);
    let error = read_opml(format!("<opml><body>{many}").as_bytes()).unwrap_err();
    assert!(matches!(error, OpmlError::TooMuch { .. }), "{error}");
    assert!(matches!(read_opml(&[b' '; 5_000_000]), Err(OpmlError::TooMuch { .. })));
}

proptest::proptest! {
    #[test]
    fn no_file_makes_a_panic(text in "[<>/&;\"'= a-z\n]{0,200}") {
        let _ = read_opml(text.as_bytes());
        let _ = read_opml(format!("<opml><body><outline {text}").as_bytes());
    }
}
