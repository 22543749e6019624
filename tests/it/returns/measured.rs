//! Real mails that came back, where they are at hand: how many are read rightly.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use banditore::returns::{Class, Kind, Returned, parse};
use serde_json::Value;

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/bounces");
    folder.exists().then_some(folder)
}

/// A share: how many of how many.
#[derive(Default)]
struct Share(usize, usize);

impl Share {
    fn add(&mut self, right: bool) {
        self.0 += usize::from(right);
        self.1 += 1;
    }

    fn at_least(&self, percent: usize, what: &str) {
        assert!(self.0 * 100 >= self.1 * percent, "{what}: {} of {}", self.0, self.1);
    }
}

fn small(value: &Value) -> BTreeSet<String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|address| address.as_str().unwrap().to_lowercase()).collect()
}

fn addresses(returned: &Returned) -> BTreeSet<String> {
    returned.recipients.iter().map(|recipient| recipient.address.to_lowercase()).collect()
}

/// Whether each recipient is of its class; either is right for a failure with a code of class 4.
fn classes(expected: &Value, returned: &Returned, right: &mut Share) {
    for (named, class) in [("permanent", Class::Permanent), ("temporary", Class::Temporary)] {
        for address in small(&expected[named]) {
            let mut recipients = returned.recipients.iter();
            let found = recipients.find(|found| found.address.to_lowercase() == address);
            let either = expected["failed_with_4xx"] == true;
            right.add(found.is_some_and(|found| either || found.class == Some(class)));
        }
    }
}

/// Why an address must not be suppressed, though it is, if it is.
fn wrongly_suppressed(expected: &Value, returned: &Returned) -> Option<String> {
    // The labels of refusals of a mail or its sender, and of what expired.
    let refusals = [
        "authfailure",
        "badreputation",
        "blocked",
        "contenterror",
        "exceedlimit",
        "expired",
        "failedstarttls",
        "mesgtoobig",
        "norelaying",
        "notcompliantrfc",
        "onhold",
        "policyviolation",
        "ratelimited",
        "rejected",
        "requireptr",
        "securityerror",
        "spamdetected",
        "speeding",
        "suppressed",
        "toomanyconn",
        "virusdetected",
    ];
    let details = expected["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    let suppressed = returned.recipients.iter().filter(|recipient| recipient.suppress);
    let wrong = suppressed.filter(|recipient| {
        let known = details.iter().find(|known| {
            let address = known["recipient"].as_str().unwrap_or_default();
            address.eq_ignore_ascii_case(&recipient.address)
        });
        let reason = known.and_then(|known| known["reason"].as_str()).unwrap_or_default();
        let delayed = known.is_some_and(|known| known["action"] == "delayed");
        delayed || refusals.contains(&reason) || expected["kind"] != "bounce"
    });
    let wrong: Vec<&str> = wrong.map(|recipient| recipient.address.as_str()).collect();
    (!wrong.is_empty()).then(|| format!("{}: {wrong:?}", expected["file"]))
}

#[test]
fn real_returns_are_read_rightly() {
    let Some(folder) = folder() else { return };
    let expected = fs::read_to_string(folder.join("expected.jsonl")).unwrap();
    let (mut with_report, mut all, mut right) = <(Share, Share, Share)>::default();
    let mut wrong = Vec::new();
    for line in expected.lines() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let octets = fs::read(folder.join(expected["file"].as_str().unwrap())).unwrap();
        let returned = parse(&octets);
        wrong.extend(wrongly_suppressed(&expected, &returned));
        match expected["kind"].as_str().unwrap() {
            "bounce" => {
                let failed = &small(&expected["permanent"]) | &small(&expected["temporary"]);
                let same = addresses(&returned) == failed;
                all.add(same);
                let text = String::from_utf8_lossy(&octets).to_lowercase();
                if text.contains("content-type: message/delivery-status") {
                    with_report.add(same);
                }
                if expected["class_asserted"] != false {
                    classes(&expected, &returned, &mut right);
                }
            }
            "complaint" => assert_eq!(addresses(&returned), small(&expected["complaint"])),
            _ => {
                assert!(!matches!(returned.kind, Kind::Bounce | Kind::Complaint), "{line}");
                assert!(returned.recipients.is_empty(), "{line}");
            }
        }
    }
    assert!(all.1 > 100, "{}", all.1);
    with_report.at_least(97, "addresses of reports on delivery");
    all.at_least(90, "addresses of all bounces");
    right.at_least(95, "classes");
    assert!(wrong.is_empty(), "suppressed: {wrong:#?}");
}
