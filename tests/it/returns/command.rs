//! `bounces parse`: what scripts rely on.

use std::fs;

use super::fixture;
use crate::program::Office;

#[test]
fn the_command_prints_a_line_a_mail_of_files_and_folders() {
    let office = Office::empty();
    std::fs::create_dir_all(office.file("ritorni/new")).unwrap();
    std::fs::create_dir_all(office.file("ritorni/tmp")).unwrap();
    office.write("ritorni/new/1", fs::read(fixture("postfix-unknown")).unwrap());
    office.write("ritorni/new/2", fs::read(fixture("absence-it")).unwrap());
    office.write("ritorni/tmp/3", "half a mail");
    let lines = office.run(&["bounces", "parse", "ritorni", "--json"]).json_lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["file"], "ritorni/new/1");
    assert_eq!(lines[0]["kind"], "bounce");
    let recipient = &lines[0]["recipients"][0];
    assert_eq!(recipient["address"], "nessuno@posta.example");
    assert_eq!(recipient["status"], "5.1.1");
    assert_eq!(recipient["class"], "permanent");
    assert_eq!(recipient["suppress"], true);
    assert!(recipient["diagnostic"].as_str().unwrap().contains("User unknown"));
    assert_eq!(lines[1]["kind"], "auto-reply");
    assert_eq!(lines[1]["recipients"], serde_json::json!([]));

    let text = office.run(&["bounces", "parse", "ritorni/new/1"]).done().out;
    insta::assert_snapshot!(text, @r"
    ritorni/new/1: bounce
      nessuno@posta.example: permanent 5.1.1 unknown-mailbox → suppress
        550 5.1.1 <nessuno@posta.example>: Recipient address rejected: User unknown in virtual mailbox table
    ");
    office.run(&["bounces", "parse", "missing.eml", "--json"]).refused(2);
}
