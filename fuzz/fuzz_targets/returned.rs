//! Any octets read as a mail that came back: an answer within its limits, never a panic.
#![no_main]

use banditore::returns::{Kind, RECIPIENTS_MAX, parse};
use libfuzzer_sys::fuzz_target;

fn look(octets: &[u8]) {
    let returned = parse(octets);
    assert!(returned.recipients.len() <= RECIPIENTS_MAX);
    let speaks = matches!(returned.kind, Kind::Bounce | Kind::Complaint);
    assert!(speaks || returned.recipients.is_empty());
}

fuzz_target!(|data: &[u8]| {
    look(data);
    // The same as the parts of a report, which few inputs find by themselves.
    const HEAD: &str = "Return-Path: <>\nFrom: MAILER-DAEMON\nContent-Type: multipart/report; \
                        report-type=delivery-status; boundary=b\n\n--b\n";
    for kind in ["message/delivery-status", "message/feedback-report", "text/plain", "text/html"] {
        let report = [HEAD.as_bytes(), b"Content-Type: ", kind.as_bytes(), b"\n\n", data].concat();
        look(&report);
    }
});
