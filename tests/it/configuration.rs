//! Settings: each thing that can be wrong with them is an error of its own, with its place and what
//! to do.

use std::path::{Path, PathBuf};

use banditore::config::{Config, ConfigError};

use crate::program::{Office, SECRET};

const FILE: &str = "/etc/banditore/banditore.toml";
const SITE: &str = "[site]\nname = \"Comune\"\npublic_url = \"https://news.example.org\"\n\
                    secret = \"0123456789abcdef0123456789abcdef\"\n";
const LIST: &str = "[[list]]\nid = \"residents\"\nname = \"Notizie\"\nfrom = \"news@example.org\"\n\
                    cadences = { daily = \"0 0 7 * * *\" }\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    with_environment(text, &[])
}

fn with_environment(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Config::parse(text, Path::new(FILE), environment.iter().map(owned))
}

/// The error of a site with something more, as a person reads it.
#[track_caller]
fn error(more: &str) -> String {
    told(parse(&format!("{SITE}{more}")).unwrap_err())
}

fn told(error: ConfigError) -> String {
    let text = format!("{error}\n{}", error.hint()).replace("/etc/banditore/", "");
    assert!(!error.hint().is_empty(), "{text}");
    text
}

#[test]
fn an_unknown_key_is_told_with_its_line_and_the_nearest_known_one() {
    let section = error("[smtp]\nhost = \"mail\"\nprot = 25\n");
    assert_eq!(section, "banditore.toml:7: unknown key \"prot\"\ndid you mean \"port\"?");
    let top = error("[smpt]\nhost = \"mail\"\n");
    assert_eq!(top, "banditore.toml:5: unknown key \"smpt\"\ndid you mean \"smtp\"?");
    let source = error("[[source]]\nid = \"a\"\nurl = \"file:a\"\nevry = \"1h\"\n");
    assert!(source.contains(":8: unknown key \"evry\"\ndid you mean \"every\"?"), "{source}");
    let page = error("[[source]]\nid=\"a\"\nurl=\"file:a\"\n[source.page]\nitems = \"li\"\n");
    assert!(page.contains(":9: unknown key \"items\"\ndid you mean \"item\"?"), "{page}");
    let far = error("[web]\nzzzzzz = 1\n");
    assert!(far.contains("unknown key \"zzzzzz\"\nthe keys known here are listen"), "{far}");
}

#[test]
fn a_wrong_type_and_a_missing_key_are_told_with_their_line() {
    let port = error("[smtp]\nhost = \"mail\"\nport = \"25\"\n");
    assert!(port.starts_with("banditore.toml:7: wrong type: "), "{port}");
    let large = error("[smtp]\nhost = \"mail\"\nport = 70000\n");
    assert!(large.starts_with("banditore.toml:7: wrong type: "), "{large}");
    let word = error("[smtp]\nhost = \"mail\"\nport = 25\ntls = \"maybe\"\n");
    assert!(word.starts_with("banditore.toml:8: ") && word.contains("starttls"), "{word}");
    let missing = error("[smtp]\nport = 25\n");
    assert!(missing.starts_with("banditore.toml:5: the key \"host\" is missing"), "{missing}");
    let site = told(parse("").unwrap_err());
    assert!(site.contains("the key \"site\" is missing"), "{site}");
    let section = error("list = 3\n");
    assert!(section.contains("wrong type") || section.contains("unknown key"), "{section}");
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    let text = error("[smtp\nhost = \"mail\"\n");
    assert!(text.starts_with("banditore.toml:5: this is not TOML: "), "{text}");
    let unquoted = error("[smtp]\nhost = mail\n");
    assert!(unquoted.starts_with("banditore.toml:6: this is not TOML: "), "{unquoted}");
    let twice = error("[web]\nlisten = \"a\"\nlisten = \"b\"\n");
    assert!(twice.starts_with("banditore.toml:7: this is not TOML: "), "{twice}");
}

#[test]
fn a_value_that_cannot_be_is_told_with_its_key_and_what_to_write() {
    let source = "[[source]]\nid = \"news\"\nurl = \"file:a.xml\"\n";
    let cases: [(String, &[&str]); 18] = [
        ("[smtp]\nhost = \"\"\nport = 25\n".into(), &["smtp.host"]),
        ("[web]\nlisten = \"8025\"\n".into(), &["web.listen", "127.0.0.1:8025"]),
        ("[web]\ntrusted_proxies = [\"10.0.0.0/33\"]\n".into(), &["trusted_proxies", "10.0.0.0/8"]),
        ("[smtp]\nhost = \"a\"\nport = 0\n".into(), &["smtp.port", "587"]),
        (LIST.replace("0 0 7 * * *", "0 0 7 * * 1"), &["cadences.daily", "by name: Mon, Tue"]),
        (LIST.replace("0 0 7 * * *", "0 0 25 * * *"), &["cadences.daily", "no cron", "six fields"]),
        (LIST.replace("0 0 7 * * *", "0 7 * * *"), &["it has 5 fields", "seconds first"]),
        (LIST.replace("\"0 0 7 * * *\"", "true"), &["at which hour", "0 0 7 * * *"]),
        (LIST.replace("daily", "immediate"), &["cadences.immediate", "true or false"]),
        (LIST.replace("{ daily = \"0 0 7 * * *\" }", "{}"), &["offers nothing"]),
        (LIST.replace("residents", "The Residents"), &["list.id", "small letters"]),
        (LIST.replace("news@example.org", "news"), &["list.from", "no @"]),
        (format!("{LIST}sources = [\"nws\"]\n"), &["no such source", "nws"]),
        (format!("{LIST}{LIST}"), &["list.id", "two have the same id"]),
        (format!("{source}{source}"), &["source.id", "two have the same id"]),
        (source.replace("file:a.xml", "ftp://a/b"), &["source.url", "https://"]),
        (format!("{source}every = \"5s\"\n"), &["source.every", "from 60 s to 7 days"]),
        ("[smtp]\nhost=\"a\"\nport=25\nconnections=0\n".into(), &["smtp.connections", "1 to 200"]),
    ];
    for (more, expected) in cases {
        let text = error(&more);
        for part in expected {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
    }
    let site: [(&str, &str, &[&str]); 5] = [
        ("name = \"Comune\"", "name = \" \"", &["site.name"]),
        ("https://news.example.org", "news.example.org", &["site.public_url", "web address"]),
        ("[site]\n", "[site]\nlocale = \"de\"\n", &["site.locale", "\"it\" or \"en\""]),
        ("[site]\n", "[site]\ntimezone = \"Europe/Roma\"\n", &["time zone", "Europe/Rome"]),
        (SECRET, "short", &["site.secret", "32 characters"]),
    ];
    for (before, after, expected) in site {
        let text = told(parse(&SITE.replace(before, after)).unwrap_err());
        for part in expected {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
        assert!(!text.contains("short"), "a secret is shown: {text}");
    }
}

#[test]
fn every_kind_of_key_can_be_given_by_the_environment() {
    let text = format!("{SITE}[smtp]\nhost = \"mail\"\nport = 25\n");
    let config = with_environment(
        &text,
        &[
            ("BANDITORE__SMTP__PORT", "2525"),
            ("BANDITORE__SMTP__TLS", "implicit"),
            ("BANDITORE__SMTP__USERNAME", "1234"),
            ("BANDITORE__SMTP__PASSWORD", "true"),
            ("BANDITORE__SMTP__MESSAGES_PER_SECOND", "20"),
            ("BANDITORE__SITE__NAME", "2000"),
            ("BANDITORE__SITE__TIMEZONE", "Europe/Vienna"),
            ("BANDITORE__SITE__LOCALE", "en"),
            ("BANDITORE__DATABASE__URL", "sqlite://other.db"),
            ("BANDITORE__WEB__LISTEN", "127.0.0.1:9000"),
            ("BANDITORE__WEB__TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
            ("BANDITORE__DELIVERY__DURABILITY", "process"),
            ("BANDITORE__TOPICS__FILE", "mine.toml"),
        ],
    )
    .unwrap();
    let smtp = config.smtp.unwrap();
    assert_eq!((smtp.port, smtp.messages_per_second), (2525, Some(20)));
    let password = smtp.password.as_ref().map(banditore::config::Password::reveal);
    assert_eq!((smtp.username.as_deref(), password), (Some("1234"), Some("true")));
    assert_eq!(smtp.tls, banditore::config::Tls::Implicit);
    assert_eq!((config.site.name.as_str(), config.site.locale.tag()), ("2000", "en"));
    assert_eq!(config.site.timezone, chrono_tz::Europe::Vienna);
    assert_eq!(config.database_url, "sqlite:///etc/banditore/other.db");
    assert_eq!(config.listen, "127.0.0.1:9000");
    let trusted: Vec<String> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(trusted, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(config.topics_file, Some(PathBuf::from("/etc/banditore/mine.toml")));

    let secret = [("BANDITORE__SITE__SECRET", "11112222333344445555666677778888")];
    let without = SITE.lines().filter(|line| !line.starts_with("secret")).collect::<Vec<_>>();
    assert!(with_environment(&without.join("\n"), &secret).is_ok());
    let host = [("BANDITORE__SMTP__HOST", "mail"), ("BANDITORE__SMTP__PORT", "25")];
    let made = with_environment(SITE, &host).unwrap();
    assert_eq!(made.smtp.unwrap().host, "mail");
}

#[test]
fn a_variable_that_is_wrong_is_told_by_its_name() {
    let error = |variable: &str, value: &str| {
        let text = format!("{SITE}[smtp]\nhost = \"mail\"\nport = 25\n{LIST}");
        let other = ("BANDITORE__WEB__LISTEN", "127.0.0.1:1");
        told(with_environment(&text, &[other, (variable, value)]).unwrap_err())
    };
    let cases = [
        ("BANDITORE__SMTP__PROT", "25", "did you mean \"port\"?"),
        ("BANDITORE__SMPT__PORT", "25", "did you mean \"smtp\"?"),
        ("BANDITORE__SMTP__PORT", "many", "wrong type"),
        ("BANDITORE__SMTP__PORT", "70000", "wrong type"),
        ("BANDITORE__SMTP__TLS", "maybe", "starttls"),
        ("BANDITORE__PORT", "25", "BANDITORE__SECTION__KEY"),
        ("BANDITORE__LIST__NAME", "x", "in the file alone"),
    ];
    for (variable, value, expected) in cases {
        let text = error(variable, value);
        assert!(text.contains(variable) && text.contains(expected), "{variable}: {text}");
        assert!(!text.contains("LISTEN"), "{text}");
    }
    let file = format!("{SITE}[smtp]\nhost = \"mail\"\nprot = 25\n");
    let text = told(with_environment(&file, &[("BANDITORE__SMTP__PORT", "25")]).unwrap_err());
    assert!(text.starts_with("banditore.toml:7: unknown key \"prot\""), "{text}");
}

#[test]
fn a_variable_that_is_not_utf_8_is_an_error_and_no_panic() {
    use std::os::unix::ffi::OsStrExt as _;
    let office = Office::with(1, LIST);
    let value = std::ffi::OsStr::from_bytes(b"mail\xff");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_banditore"))
        .args(["check", "--offline"])
        .env("BANDITORE__SMTP__HOST", value)
        .env("SOMETHING_ELSE", value)
        .current_dir(office.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("BANDITORE__SMTP__HOST") && err.contains("not UTF-8"), "{err}");
}

#[test]
fn hostile_settings_give_an_error_and_no_panic() {
    for text in
        ["\0", "=", "[site]\nname = \"\"\"", "[[site]]", "site = []", "a.b.c.d = 1", "\u{feff}"]
    {
        let text = format!("{text}\n{}", "[".repeat(2_000));
        assert!(parse(&text).is_err(), "{text:?}");
    }
    let long = format!("{SITE}{} = 1\n", "k".repeat(100_000));
    assert!(parse(&long).is_err());
}

// The same through the program. -----------------------------------------------------------------

#[test]
fn what_init_writes_passes_the_check_and_works_as_it_is() {
    let office = Office::empty();
    let made = office.run(&["init"]).done();
    assert_eq!(made.out, "./banditore.toml\n./topics.toml\n./places.toml\n");
    assert!(!office.read("banditore.toml").contains("CHANGE-ME"));
    let checked = office.run(&["check", "--offline", "--json"]).done().json();
    assert_eq!(checked["ok"], true);
    let whats: Vec<&str> = checked["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["what"].as_str().unwrap())
        .collect();
    assert_eq!(whats, ["configuration", "topics and places", "templates", "database", "relay"]);
    assert!(!office.file("banditore.db").exists(), "a check makes nothing");
    office.run(&["migrate"]).done();
    let again = office.run(&["migrate", "--json"]).done().json();
    assert_eq!(again["steps"], 0);
    office.run(&["check", "--offline"]).done();
    office.run(&["audit"]).done();
    let before = office.read("banditore.toml");
    let twice = office.run(&["init"]).refused(1);
    assert!(twice.contains("is there already"), "{twice}");
    assert_eq!(office.read("banditore.toml"), before);

    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(office.file("banditore.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o007, 0, "others can read the secret");
}

#[test]
fn a_configuration_that_is_missing_or_wrong_ends_with_2() {
    let office = Office::empty();
    for command in [&["audit"][..], &["once"], &["migrate"], &["check"]] {
        let none = office.run(command);
        if std::path::Path::new("/etc/banditore/banditore.toml").exists() {
            continue;
        }
        assert!(none.refused(2).contains("no configuration file"));
    }
    let named = office.run(&["audit", "--config", "nix.toml"]).refused(2);
    assert!(named.contains("nix.toml cannot be read"), "{named}");
    office.write("latin1.toml", b"[site]\nname = \"Citt\xe0\"\n");
    let latin = office.run(&["check", "--config", "latin1.toml"]).refused(2);
    assert!(latin.contains("latin1.toml"), "{latin}");
    office.write("wrong.toml", "[site]\nnmae = \"Comune\"\n");
    let wrong = office.run(&["check", "--config", "wrong.toml"]).refused(2);
    assert!(wrong.contains("wrong.toml:2") && wrong.contains("did you mean \"name\"?"), "{wrong}");
    let json = office.run(&["check", "--config", "wrong.toml", "--json"]);
    assert_eq!((json.code, &json.json()["ok"]), (2, &false.into()));
}

#[test]
fn relative_files_are_looked_for_beside_the_configuration() {
    let office = Office::empty();
    office.run(&["init", "office"]).done();
    office.write("office/secret", format!("{SECRET}\n"));
    let text = office.read("office/banditore.toml");
    let secret = text.lines().find(|line| line.starts_with("secret = ")).unwrap();
    office.write("office/banditore.toml", text.replace(secret, "secret_file = \"secret\""));
    office.run(&["migrate", "--config", "office/banditore.toml"]).done();
    assert!(office.file("office/banditore.db").exists());
    office.write("office/secret", "short\n");
    let short = office.run(&["audit", "--config", "office/banditore.toml"]).refused(2);
    assert!(short.contains("32 characters"), "{short}");
    std::fs::remove_file(office.file("office/secret")).unwrap();
    let gone = office.run(&["audit", "--config", "office/banditore.toml"]).refused(2);
    assert!(gone.contains("office/secret cannot be read"), "{gone}");
}

#[test]
fn a_broken_rules_file_is_told_with_file_and_line() {
    let office = Office::with(1, &format!("[topics]\nfile = \"topics.toml\"\n{LIST}"));
    let missing = office.run(&["topics", "list"]).refused(2);
    assert!(missing.contains("topics.toml cannot be read"), "{missing}");
    office.write("topics.toml", "[[topic]]\nid = \"pnrr\nlabel = 3\n");
    for command in [&["topics", "list"][..], &["once"], &["check", "--offline"]] {
        let broken = office.run(command);
        assert_eq!(broken.code, 2);
        assert!(broken.err.contains("topics.toml") && broken.err.contains("2"), "{broken:?}");
        assert!(broken.err.contains("hint: "), "{broken:?}");
    }
}

#[test]
fn a_database_that_cannot_be_used_is_told() {
    let office = Office::with(1, LIST);
    office.run(&["migrate"]).done();

    let away = [("BANDITORE__DATABASE__URL", "sqlite://nowhere/banditore.db")];
    let unreachable = office.run_with(&["audit"], &away).refused(1);
    assert!(unreachable.contains("nowhere/banditore.db cannot be opened"), "{unreachable}");
    let checked = office.run_with(&["check", "--offline"], &away);
    assert_eq!(checked.code, 1);
    assert!(checked.err.contains("error: database: "), "{checked:?}");
    let other = [("BANDITORE__DATABASE__URL", "mysql://localhost/banditore")];
    let unknown = office.run_with(&["audit"], &other);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    let nobody = [("BANDITORE__DATABASE__URL", "postgres://ada:geheim@127.0.0.1:1/banditore")];
    let unreachable = office.run_with(&["audit"], &nobody).refused(1);
    assert!(unreachable.contains("cannot be opened"), "{unreachable}");
    assert!(!unreachable.contains("geheim"), "a password is shown: {unreachable}");

    let secret = [("BANDITORE__SITE__SECRET", "another secret, another secret, another")];
    for command in [&["audit"][..], &["migrate"]] {
        let wrong = office.run_with(command, &secret).refused(2);
        assert!(wrong.contains("another site.secret"), "{wrong}");
        assert!(!wrong.contains("another secret, "), "a secret is shown: {wrong}");
    }
    let checked = office.run_with(&["check", "--offline"], &secret);
    assert!(checked.code == 2 && checked.err.contains("another site.secret"), "{checked:?}");

    office.sql("UPDATE _sqlx_migrations SET version = version + 999");
    let newer = office.run(&["audit"]).refused(1);
    assert!(newer.contains("a later version"), "{newer}");
    office.write("banditore.db", "this is no database, but some text that is long enough");
    for file in ["banditore.db-wal", "banditore.db-shm"] {
        let _ = std::fs::remove_file(office.file(file));
    }
    office.run(&["audit"]).refused(1);
}

#[test]
fn settings_of_the_relay_that_cannot_be_used_are_told_without_asking_it() {
    let office = Office::with(25, LIST);
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[("BANDITORE__SMTP__HOST", "no host")], "smtp.host"),
        (&[("BANDITORE__SMTP__USERNAME", "anna")], "smtp.password"),
        (
            &[
                ("BANDITORE__SMTP__USERNAME", "anna"),
                ("BANDITORE__SMTP__PASSWORD", "geheim"),
                ("BANDITORE__SMTP__HOST", "mail.example.org"),
            ],
            "unprotected",
        ),
    ];
    for (environment, expected) in cases {
        let checked = office.run_with(&["check", "--offline"], environment);
        assert_eq!(checked.code, 2, "{checked:?}");
        assert!(checked.err.contains("error: ") && checked.err.contains(expected), "{checked:?}");
        assert!(!checked.err.contains("geheim"), "a secret is shown");
    }
    let none = Office::empty();
    none.write("banditore.toml", format!("{SITE}{LIST}"));
    assert!(none.run(&["check", "--offline"]).err.contains("has no [smtp] section"));
}

#[test]
fn a_relay_that_does_not_answer_fails_the_check_with_1() {
    let office = Office::with(1, LIST);
    office.run(&["migrate"]).done();
    office.run(&["check", "--offline"]).done();
    let checked = office.run(&["check", "--json"]);
    assert_eq!(checked.code, 1);
    assert!(checked.err.contains("error: relay: 127.0.0.1:1"), "{checked:?}");
    let checks = checked.json();
    let relay = checks["checks"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&relay["what"], &relay["ok"]), (&"relay".into(), &false.into()));
    assert!(relay["hint"].as_str().unwrap().contains("[smtp]"));
}

#[test]
fn trusted_proxies_are_addresses_and_prefixes_and_this_machine_where_none_is_named() {
    use banditore::config::Network;
    let trusts = |networks: &[Network], address: &str| {
        networks.iter().any(|network| network.contains(address.parse().unwrap()))
    };
    let default = Network::loopback();
    assert!(trusts(&default, "127.3.2.1") && trusts(&default, "::1"));
    assert!(trusts(&default, "::ffff:127.0.0.1"));
    assert!(!trusts(&default, "10.0.0.1") && !trusts(&default, "::2"));
    let named: Vec<Network> =
        ["10.1.0.0/16", "192.0.2.7", "2001:db8::/32"].map(|text| text.parse().unwrap()).to_vec();
    assert!(trusts(&named, "10.1.255.1") && trusts(&named, "192.0.2.7"));
    assert!(trusts(&named, "2001:db8:ffff::1"));
    assert!(!trusts(&named, "10.2.0.1") && !trusts(&named, "192.0.2.8"));
    let all: Network = "0.0.0.0/0".parse().unwrap();
    assert!(all.contains("203.0.113.1".parse().unwrap()) && !all.contains("::1".parse().unwrap()));
    for wrong in ["", "10.0.0.0/33", "::/129", "host", "10.0.0.1/", "10.0.0.1/-1"] {
        assert!(wrong.parse::<Network>().is_err(), "{wrong}");
    }
}
