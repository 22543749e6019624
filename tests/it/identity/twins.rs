//! Each rule of identity with its twin: what is the same item though it looks new, and what is
//! news though it looks known.

use banditore::ingest::ReadItem;

use super::Site;

/// Letters that make names without numbers.
const NAMES: [&str; 20] = [
    "acero",
    "betulla",
    "cedro",
    "dafne",
    "edera",
    "faggio",
    "ginepro",
    "henne",
    "ippocastano",
    "larice",
    "mirto",
    "nocciolo",
    "olmo",
    "pioppo",
    "quercia",
    "rovere",
    "salice",
    "tiglio",
    "ulivo",
    "vite",
];

/// A piece of news; a text without words is none.
fn news(id: &str, path: &str, title: &str, text: &str) -> ReadItem {
    let summary = match text {
        "" => String::new(),
        text => format!("{text}: l'ufficio comunica quanto segue a tutta la cittadinanza."),
    };
    let mut item = super::item(id, path, title);
    item.summary = summary;
    item
}

/// News `first` to `last`, each made of its number and its name.
fn all(numbers: std::ops::Range<usize>, make: impl Fn(usize, &str) -> ReadItem) -> Vec<ReadItem> {
    numbers.map(|number| make(number, NAMES[number])).collect()
}

/// What each answer after the first told.
async fn told(polls: &[Vec<ReadItem>]) -> Vec<usize> {
    let mut site = Site::new().await;
    let mut told = Vec::new();
    for (number, items) in polls.iter().enumerate() {
        let taken = site.poll_after(86_400, items).await;
        assert!(taken.held.is_empty());
        if number == 0 {
            assert_eq!((taken.baseline, taken.new.len()), (items.len(), 0));
        } else {
            told.push(taken.new.len());
        }
    }
    told
}

/// What stands on a site beside that which is looked at.
fn beside() -> Vec<ReadItem> {
    all(0..8, |n, name| {
        news(&format!("n{n}"), &format!("n/notizia-{n}"), &format!("Notizia sul {name}"), name)
    })
}

#[tokio::test]
async fn a_bulletin_with_a_new_id_in_the_folder_of_its_day_is_told_each_day() {
    let title = "Bollettino di vigilanza meteorologica";
    for (place, same_text) in [("bollettino-allerta", false), ("seduta", true), ("b", false)] {
        let daily = |day: usize| {
            let text = if same_text { "Si avvisa" } else { NAMES[day] };
            news(&format!("b{day}"), &format!("2026/11/{day:02}/{place}"), title, text)
        };
        let polls: Vec<_> = (1..5).map(|day| [vec![daily(day)], beside()].concat()).collect();
        assert_eq!(told(&polls).await, [1, 1, 1], "{place}");
        if !same_text {
            let alone: Vec<_> = (1..5).map(|day| vec![daily(day)]).collect();
            assert_eq!(told(&alone).await, [1, 1, 1], "alone: {place}");
        }
    }
}

#[tokio::test]
async fn one_page_that_moves_where_ids_are_addresses_is_not_told() {
    let at = |path: &str| {
        let mut one = news("", path, "Chiusura della piazza del mercato", "Piazza");
        one.id = one.link.clone();
        one
    };
    let polls = ["bozze/piazza-mercato", "novita/comunicati/piazza-mercato"]
        .map(|path| [vec![at(path)], beside()].concat());
    assert_eq!(told(&polls).await, [0]);
}

#[tokio::test]
async fn acts_of_one_title_on_one_page_with_new_ids_are_told() {
    for (count, text) in [(3, false), (2, true)] {
        let acts = |poll: usize| {
            all(poll * count..(poll + 1) * count, |n, name| {
                let text = if text { name } else { "" };
                news(&format!("d{n}"), "albo", "Determinazione dirigenziale", text)
            })
        };
        let polls: Vec<_> = (0..4).map(acts).collect();
        assert_eq!(told(&polls).await, [count; 3]);
    }
    let notices = |week: usize| {
        let titles = ["Bollettino settimanale dei pollini in aria", "Avviso di chiusura strade"];
        let notice = |n: usize| news(&format!("w{week}-{n}"), "avvisi", titles[n], NAMES[week]);
        vec![notice(0), notice(1)]
    };
    let polls: Vec<_> = (0..3).map(notices).collect();
    assert_eq!(told(&polls).await, [2, 2], "titles that recur, texts that do not");
}

#[tokio::test]
async fn acts_on_one_page_whose_ids_all_changed_are_not_told() {
    let named = |poll: &str| {
        all(0..8, |n, name| {
            news(&format!("{poll}{n}"), "albo", &format!("Atto con oggetto {name}"), "")
        })
    };
    assert_eq!(told(&["x", "y", "z"].map(named)).await, [0, 0]);
    let of_one_title = |poll: &str| {
        all(0..3, |n, name| {
            news(&format!("{poll}{n}"), "albo", "Determinazione dirigenziale", name)
        })
    };
    assert_eq!(told(&["x", "y", "z"].map(of_one_title)).await, [0, 0]);
    let mut corrected = named("y");
    corrected[3].summary = "Il testo di questo atto è stato aggiunto più tardi.".to_owned();
    assert_eq!(told(&[named("x"), corrected]).await, [0]);
}

#[tokio::test]
async fn a_page_that_shows_another_alert_with_another_id_is_told() {
    let alerts = [
        ("a1", "Allerta gialla per vento forte", "Vento"),
        ("a2", "Allerta arancione per vento forte", "Raffiche"),
        ("a3", "Emergenza neve e scuole chiuse", "Neve"),
    ];
    let alert = |(id, title, text)| news(id, "allerta-meteo", title, text);
    assert_eq!(told(&alerts.map(|of| vec![alert(of)])).await, [1, 1]);
    let polls = alerts.map(|of| [vec![alert(of)], beside()].concat());
    assert_eq!(told(&polls).await, [1, 1]);
}

#[tokio::test]
async fn corrected_titles_at_pages_that_stay_are_not_told_though_all_ids_changed() {
    let list = |poll: usize| {
        all(0..10, |n, name| {
            let end = if poll == 0 { "" } else { " (corretto)" };
            let title = format!("Notizia sul tema {name} importante{end}");
            news(&format!("{poll}-{n}"), &format!("a/notizia-tema-{name}"), &title, "")
        })
    };
    assert_eq!(told(&[list(0), list(1)]).await, [0]);
    let one = |id: &str, before: &str| {
        vec![news(id, "x?id=1", &format!("{before}Notizia del comune di oggi"), "Oggi")]
    };
    assert_eq!(told(&[one("a", ""), one("b", "RETTIFICA - ")]).await, [0]);
}

#[tokio::test]
async fn notices_of_each_week_with_new_ids_pages_and_texts_are_told() {
    let titles = [
        "Bollettino settimanale della qualità dell'aria",
        "Bollettino settimanale dei pollini allergenici",
        "Avviso settimanale di chiusura delle strade",
    ];
    for folder in [true, false] {
        let week = |week: usize| {
            let notice = |n: usize| {
                let path = match folder {
                    true => format!("2026/{week:02}/avviso-{n}"),
                    false => format!("notizie/{}", week * 10 + n),
                };
                let text = format!("{} {}", NAMES[week], NAMES[n]);
                news(&format!("w{week}-{n}"), &path, titles[n], &text)
            };
            vec![notice(0), notice(1), notice(2)]
        };
        let polls: Vec<_> = (0..4).map(week).collect();
        assert_eq!(told(&polls).await, [3, 3, 3]);
    }
}

#[tokio::test]
async fn a_site_that_moved_in_part_or_whole_is_not_told() {
    let named = |name: &str| format!("Titolo della notizia {name}");
    let by_address = |path: String, title: &str, text: &str| {
        let mut item = news("", &path, title, text);
        item.id = item.link.clone();
        item
    };
    for text in [true, false] {
        let text = |name: &str| if text { name.to_owned() } else { String::new() };
        let old = |n: usize, name: &str| {
            by_address(format!("node/{}", 100 + n), &named(name), &text(name))
        };
        let new = |n: usize, name: &str| {
            by_address(format!("it/notizie/{}/dettaglio", 900 + n), &named(name), &text(name))
        };
        let before = all(0..10, old);
        let part = [all(0..2, old), all(2..10, new)].concat();
        assert_eq!(told(&[before.clone(), part]).await, [0]);
        assert_eq!(told(&[before.clone(), all(0..10, new)]).await, [0]);
        assert_eq!(told(&[before, all(5..15, new)]).await, [5], "and what is new is");
    }
    let designed = |new: bool| {
        all(0..6, |n, name| match new {
            false => news(&format!("{n}"), &format!("node/{n}"), &named(name), name),
            true => news(&format!("v{n}"), &format!("it/n/{name}"), &named(name), "Anteprima"),
        })
    };
    assert_eq!(told(&[designed(false), designed(true)]).await, [0], "with other teasers");
    let prefixed = |new: bool| {
        all(0..10, |n, name| match new {
            false => news("", &format!("node/{n}"), &named(name), name),
            true => news("", &format!("it/{n}/v"), &format!("Comune - {}", named(name)), name),
        })
    };
    assert_eq!(told(&[prefixed(false), prefixed(true)]).await, [0], "with longer titles");
}

#[tokio::test]
async fn a_bulletin_that_recurs_after_days_is_told_though_the_site_has_moved() {
    let bulletin = |path: &str, text: &str| {
        news("", path, "Bollettino settimanale della qualità dell'aria", text)
    };
    let list = |folder: &str| {
        all(0..6, |_, name| {
            let title = format!("Titolo della notizia {name}");
            news("", &format!("{folder}/notizia-{name}"), &title, name)
        })
    };
    let first = [vec![bulletin("a/aria-1", "Aria buona")], list("a")].concat();
    let without: Vec<_> = vec![list("a"); 7];
    let moved = [vec![bulletin("b/aria-2", "Aria cattiva")], list("b")].concat();
    let polls = [vec![first], without, vec![moved]].concat();
    assert_eq!(told(&polls).await, [0, 0, 0, 0, 0, 0, 0, 1]);
}

#[tokio::test]
async fn a_site_that_moved_and_gave_its_ids_to_others_is_not_told() {
    let named = |name: &str| format!("Titolo della notizia {name}");
    let before = all(0..10, |n, name| news(&n.to_string(), &format!("a?id={n}"), &named(name), ""));
    let after = all(0..10, |n, name| {
        news(&(n * 7 % 10).to_string(), &format!("it/notizie/{}", n + 3), &named(name), "")
    });
    let mut site = Site::new().await;
    site.poll(&before).await;
    let taken = site.poll(&after).await;
    assert_eq!((taken.new.len(), taken.revised.len()), (0, 0), "and none became another");
}

#[tokio::test]
async fn addresses_with_another_parameter_at_each_poll_are_not_told() {
    for (title, text) in
        [("Notizia del comune su", true), ("Notizia del comune su", false), ("Su", false)]
    {
        let list = |poll: usize| {
            all(0..8, |n, name| {
                let path = format!("n/{n}?k={}", poll * 31 + n);
                news("", &path, &format!("{title} {name}"), if text { name } else { "" })
            })
        };
        assert_eq!(told(&[list(0), list(1), list(2)]).await, [0, 0]);
    }
}

#[tokio::test]
async fn an_item_that_an_answer_has_twice_is_one() {
    let first = || news("1", "n/prima-notizia-1", "Prima", "");
    let second = |title: &str| news("2", "n/seconda-notizia-2", title, "");
    let (whole, cut) = ("Seconda notizia del giorno", "Seconda notizia del...");
    for titles in [[whole, cut], [cut, whole]] {
        let answer = [vec![first()], titles.map(second).to_vec()].concat();
        assert_eq!(told(&[vec![first()], answer.clone(), answer]).await, [1, 0]);
    }
    let of_one_id = |title: &str| news("same", "n/elenco-1", title, "");
    let several = ["Avviso", "Avviso pubblico", "Bando"].map(of_one_id);
    assert_eq!(told(&[vec![first()], several.to_vec()]).await, [3], "of one id they are three");
}

#[tokio::test]
async fn an_id_alone_makes_no_item_of_another_page_title_and_text() {
    let numbered = |poll: usize| {
        all(poll * 3..poll * 3 + 3, |n, name| {
            let path = format!("index.php?id={n}");
            news(&(n % 3).to_string(), &path, &format!("Comunicato {name}"), name)
        })
    };
    let polls: Vec<_> = (0..5).map(numbered).collect();
    assert_eq!(told(&polls).await, [3; 4], "numbers of places");
    let constant = |n: usize| {
        let name = NAMES[n];
        vec![news("feed", &format!("c/{name}"), &format!("Comunicato {name}"), name)]
    };
    let polls: Vec<_> = (0..5).map(constant).collect();
    assert_eq!(told(&polls).await, [1; 4], "the name of the feed");
}

#[tokio::test]
async fn an_id_with_a_title_like_the_former_is_the_same_item_at_another_page() {
    let before = news("4711", "node/4711", "Bando per la casa dei giovani", "Bando");
    let after = news("4711", "it/v/x", "Bando per la casa degli anziani e dei giovani", "Esito");
    assert_eq!(told(&[vec![before], vec![after]]).await, [0]);
}

#[tokio::test]
async fn a_feed_of_one_item_with_a_new_id_on_its_page_is_told_where_its_text_is_new() {
    let title = "Allerta meteo della Protezione civile";
    let alert = |id: &str, text: &str| vec![news(id, "allerta-meteo", title, text)];
    assert_eq!(told(&[alert("a1", "Vento"), alert("a2", "Neve")]).await, [1]);
    assert_eq!(told(&[alert("a1", "Vento"), alert("a2", "Vento")]).await, [0]);
    assert_eq!(told(&[alert("a1", ""), alert("a2", "")]).await, [0], "nothing says that it is new");
    assert_eq!(told(&[alert("a1", "Vento"), alert("a1", "Neve")]).await, [0], "by its id");
    let vary = ["a1", "a2", "a3", "a4"].map(|id| alert(id, if id < "a3" { "Vento" } else { id }));
    assert_eq!(told(&vary).await, [0, 0, 0], "ids that change under one text prove nothing");
    let polls = ["Vento", "Neve", "Gelo"].map(|text| [alert(text, text), beside()].concat());
    assert_eq!(told(&polls).await, [1, 1], "beside others whose ids hold");
}

#[tokio::test]
async fn all_ids_given_anew_and_some_texts_corrected_are_not_told_at_pages_that_stay() {
    let list = |poll: usize| {
        all(0..4, |n, name| {
            let text = if n == 0 { NAMES[8 + poll] } else { name };
            let title = format!("Notizia sul tema {name}");
            news(&format!("{poll}-{n}"), &format!("a/{name}"), &title, text)
        })
    };
    assert_eq!(told(&[list(0), list(1), list(2)]).await, [0, 0]);
}

#[tokio::test]
async fn items_without_ids_that_all_link_to_one_page_are_told_apart_by_title_and_text() {
    for page in ["avvisi", "novita/elenco"] {
        let on = |title: &str, text: &str| news("", page, title, text);
        let first = vec![on("Avviso", "Via Roma"), on("Avviso", "Via Po"), on("Bando", "Asilo")];
        let one_more = [vec![on("Avviso", "Via Dante")], first.clone()].concat();
        let corrected = [vec![on("Avviso importante", "Via Dante")], first.clone()].concat();
        assert_eq!(told(&[first, one_more, corrected]).await, [1, 0], "{page}");
    }
}

#[tokio::test]
async fn an_act_that_comes_back_with_another_id_is_known_by_its_number_and_text() {
    let polls = |title: &str, text: &str| {
        let act = |id: &str| news(id, "albo", title, text);
        let others = || all(0..6, |n, name| news(&format!("o{n}"), "albo", name, name));
        [[vec![act("a")], others()].concat(), others(), [vec![act("b")], others()].concat()]
    };
    assert_eq!(told(&polls("Determinazione dirigenziale numero 104", "Spesa")).await, [0, 0]);
    assert_eq!(told(&polls("Convocazione del consiglio comunale", "Seduta")).await, [0, 1]);
}

#[tokio::test]
async fn a_text_is_corrected_among_more_items_of_one_title_than_are_compared() {
    let act = |poll: usize, n: usize| {
        let version = if n == 30 { poll } else { 0 };
        let text = format!("{} numero {n}, versione {version}", NAMES[n % 20]);
        news("", "", "Determinazione dirigenziale", &text)
    };
    let list = |poll, first| (first..first + 60).map(|n| act(poll, n)).collect::<Vec<_>>();
    assert_eq!(told(&[list(0, 0), list(1, 0), list(1, 5)]).await, [0, 5]);
}

#[tokio::test]
async fn a_bulletin_in_the_folder_of_its_month_in_words_is_told_each_month() {
    let titles =
        ["Bollettino dei pollini nell'aria", "Avviso della polizia locale", "Orari estivi"];
    let month = |number: usize, folder: &str| {
        let notice = |n: usize| {
            let text = format!("{} {}", NAMES[number], NAMES[n]);
            news("", &format!("2026/{folder}/avviso-{n}"), titles[n], &text)
        };
        vec![notice(0), notice(1), notice(2)]
    };
    let polls = [month(0, "settembre"), month(1, "ottobre"), month(2, "novembre")];
    assert_eq!(told(&polls).await, [3, 3]);
}
