//! Receipts of Italian certified mail (PEC; DM 2 November 2005, annex: 6.3 receipts, 6.4 notices,
//! 6.5 wrappers). Their header says what they are, and `daticert.xml` of whom they speak.

use super::addresses;
use super::judge::{Said, judge};
use super::mime::Mail;
use super::model::{CertifiedReceipt, Class, Form, Kind, Returned, ReturnedRecipient};
use super::original;
use super::table::{Cause, Outcome};

/// Reads a mail that a system of certified mail made.
pub(super) fn read(mail: &Mail) -> Option<Returned> {
    let receipt = receipt(mail)?;
    let kind = match receipt {
        CertifiedReceipt::NotDelivered
        | CertifiedReceipt::NotYetDelivered
        | CertifiedReceipt::NotAccepted
        | CertifiedReceipt::Virus => Kind::Bounce,
        CertifiedReceipt::Accepted
        | CertifiedReceipt::TakenInCharge
        | CertifiedReceipt::Delivered => Kind::AutoReply,
        CertifiedReceipt::Anomaly | CertifiedReceipt::Transport => Kind::None,
    };
    let mut returned = Returned::of(kind, Form::Certified);
    returned.receipt = Some(receipt);
    returned.message_id = mail.head.get("x-riferimento-message-id").and_then(original::message_id);
    if kind == Kind::Bounce {
        returned.recipients = failed(mail, receipt);
    }
    Some(returned)
}

/// What a mail is, by the fields that only systems of certified mail may write; where a server on
/// its way took them away, by how its subject begins and by the certificate that it carries.
fn receipt(mail: &Mail) -> Option<CertifiedReceipt> {
    let known = |word: &str| {
        Some(match word {
            "accettazione" => CertifiedReceipt::Accepted,
            "non-accettazione" => CertifiedReceipt::NotAccepted,
            "presa-in-carico" => CertifiedReceipt::TakenInCharge,
            "avvenuta-consegna" => CertifiedReceipt::Delivered,
            "errore-consegna" => CertifiedReceipt::NotDelivered,
            "preavviso-errore-consegna" => CertifiedReceipt::NotYetDelivered,
            "rilevazione-virus" => CertifiedReceipt::Virus,
            "posta-certificata" => CertifiedReceipt::Transport,
            _ => return None,
        })
    };
    let by_field = known(mail.head.small("x-ricevuta").trim());
    let transport = match mail.head.small("x-trasporto").trim() {
        "posta-certificata" => Some(CertifiedReceipt::Transport),
        "errore" => Some(CertifiedReceipt::Anomaly),
        _ => None,
    };
    by_field.or(transport).or_else(|| by_subject(mail)).or_else(|| {
        let certificate = certificate(mail)?;
        known(&attribute(certificate, "postacert", "tipo")?)
    })
}

/// How subjects begin (annex, 6.3 to 6.5). A person may write `CONSEGNA:` too, so the sender must
/// be a system of certified mail.
fn by_subject(mail: &Mail) -> Option<CertifiedReceipt> {
    const SUBJECTS: [(&str, CertifiedReceipt); 9] = [
        ("accettazione:", CertifiedReceipt::Accepted),
        ("avviso di non accettazione", CertifiedReceipt::NotAccepted),
        ("presa in carico:", CertifiedReceipt::TakenInCharge),
        ("consegna:", CertifiedReceipt::Delivered),
        ("avviso di mancata consegna", CertifiedReceipt::NotDelivered),
        ("preavviso di mancata consegna", CertifiedReceipt::NotYetDelivered),
        ("problema di sicurezza:", CertifiedReceipt::Virus),
        ("anomalia messaggio:", CertifiedReceipt::Anomaly),
        ("posta certificata:", CertifiedReceipt::Transport),
    ];
    let from = mail.head.readable("from");
    if !from.contains("posta-certificata") && !from.contains("posta certificata") {
        return None;
    }
    let subject = mail.head.readable("subject");
    let found = SUBJECTS.iter().find(|(beginning, _)| subject.trim().starts_with(beginning));
    found.map(|(_, receipt)| *receipt)
}

/// The text of the certificate, where there is one.
fn certificate(mail: &Mail) -> Option<&str> {
    let named = mail.parts.iter().find(|part| part.name == "daticert.xml");
    let shaped = || mail.parts.iter().find(|part| part.text.contains("<postacert"));
    named.or_else(shaped).map(|part| part.text.as_str())
}

fn failed(mail: &Mail, receipt: CertifiedReceipt) -> Vec<ReturnedRecipient> {
    let certificate = certificate(mail).unwrap_or_default();
    let error = attribute(certificate, "postacert", "errore").unwrap_or_default();
    let extended = element(certificate, "errore-esteso").unwrap_or_default();
    let text = readable(mail);
    let mut addresses: Vec<String> = element(certificate, "consegna")
        .and_then(|text| addresses::of_field(&text))
        .into_iter()
        .collect();
    if addresses.is_empty() {
        addresses.extend(
            element(certificate, "destinatari").and_then(|text| addresses::of_field(&text)),
        );
    }
    if addresses.is_empty() {
        addresses.extend(addressed(&text));
    }
    let diagnostic = if extended.is_empty() { text } else { extended };
    let delayed = receipt == CertifiedReceipt::NotYetDelivered;
    let of = |address| {
        let said = Said { address, diagnostic: diagnostic.clone(), delayed, ..Said::default() };
        let mut judged = judge(said);
        // The certificate's own word is clear (annex, 7.4.1); others are for the text.
        match (receipt, error.as_str()) {
            (CertifiedReceipt::NotDelivered, "no-dest") => {
                decide(&mut judged, Cause::UnknownMailbox)
            }
            (CertifiedReceipt::NotDelivered, "no-dominio") => {
                decide(&mut judged, Cause::UnknownDomain)
            }
            (CertifiedReceipt::NotAccepted, _) => decide(&mut judged, Cause::Sender),
            (CertifiedReceipt::Virus, _) | (_, "virus") => decide(&mut judged, Cause::Content),
            _ => (),
        }
        judged
    };
    addresses.into_iter().map(of).collect()
}

fn decide(recipient: &mut ReturnedRecipient, cause: Cause) {
    recipient.cause = cause;
    recipient.class = Some(Class::Permanent);
    recipient.outcome = cause.outcome();
    recipient.suppress = recipient.outcome == Outcome::Suppress;
}

fn readable(mail: &Mail) -> String {
    mail.part(&["text/plain", "text/html"]).map(|part| part.text.clone()).unwrap_or_default()
}

/// Whom the text says that it was for: `destinato all'utente "…"`, `indirizzato a`.
fn addressed(text: &str) -> Option<String> {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = ["destinato a", "indirizzato a", "destinatario", "all'utente", "alla casella"];
    let after = words.iter().find_map(|words| flat.split_once(words)).map(|(_, after)| after)?;
    addresses::find(after).first().map(|found| found.address.to_owned())
}

/// The value of an attribute, in small letters. The certificate is small and of a known form, so
/// no reader of XML is let loose on a stranger's text: no entities, no depth.
fn attribute(xml: &str, element: &str, name: &str) -> Option<String> {
    let (_, after) = xml.split_once(&format!("<{element}"))?;
    let (tag, _) = after.split_once('>')?;
    let (_, value) = tag.split_once(&format!(" {name}="))?;
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, _) = value[1..].split_once(quote)?;
    Some(value.trim().to_lowercase())
}

/// The text of the first element of a name.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, after) = xml.split_once(&format!("<{name}"))?;
    let (attributes, text) = after.split_once('>')?;
    let whole = attributes.is_empty() || attributes.starts_with(char::is_whitespace);
    let (text, _) = text.split_once(&format!("</{name}>"))?;
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    whole.then(|| plain.trim().to_owned())
}
