//! Limits on what strangers can cause. A window is a fixed piece of time, so that counting is one
//! statement; across the border of two windows there may be twice as many.

use crate::model::Timestamp;
use crate::store::{StoreError, Tx};

use super::{EmailAddress, Keys};

/// Mails that strangers can cause to one mailbox in a day (UTC), whatever the form and whatever way
/// of writing its address.
pub const MAILS_AN_ADDRESS_A_DAY_MAX: i64 = 3;
/// Forms that one network (IPv4 /24, IPv6 /56) can send in an hour.
pub const FORMS_A_NETWORK_AN_HOUR_MAX: i64 = 30;
/// Forms that one region of networks (IPv4 /16, IPv6 /48) can send in an hour: a tenth of what all
/// can, so that nobody with a whole region shuts out the others.
pub const FORMS_A_REGION_AN_HOUR_MAX: i64 = 300;
/// Forms of one kind that everybody together can send in an hour. A form that is refused counts for
/// nothing, so there are never more counters than some times this in a window.
pub const FORMS_AN_HOUR_MAX: i64 = 3_000;
/// Changes of their subscriptions that somebody can make by links in a day (UTC). Leaving is none.
pub const CHANGES_A_SUBSCRIBER_A_DAY_MAX: i64 = 50;
/// Changes that can come from one network (IPv4 /24, IPv6 /56) in an hour, by whatever links.
pub const CHANGES_A_NETWORK_AN_HOUR_MAX: i64 = 200;

/// Domains of which the mailboxes ignore dots, and have two names.
const DOTLESS_DOMAINS: [&str; 2] = ["gmail.com", "googlemail.com"];
const HOUR_SECONDS: i64 = 3_600;
/// The longest window, in seconds; older ones are forgotten.
pub(super) const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;

/// Where a form comes from, masked, as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The network: a household, a school, a street behind one address.
    pub network: &'a str,
    /// What that is a part of, and may be one customer's as a whole.
    pub region: &'a str,
}

/// A form that anybody can send. Each kind has a ceiling of its own: sign-ups that flood in keep
/// nobody from a link to their preferences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Asking for a subscription.
    SignUp,
    /// Asking for a link to one's preferences.
    Link,
}

/// Counts a form; false where there are too many from its network or region, or at all. Then the
/// caller undoes the transaction, and nothing was counted.
pub(super) async fn admit_form(
    tx: &mut Tx<'_>,
    keys: &Keys,
    form: Form,
    origin: &Origin<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let all = match form {
        Form::SignUp => "forms",
        Form::Link => "links",
    };
    let limits = [
        (all, "", FORMS_AN_HOUR_MAX),
        ("region", origin.region, FORMS_A_REGION_AN_HOUR_MAX),
        ("network", origin.network, FORMS_A_NETWORK_AN_HOUR_MAX),
    ];
    for (scope, value, most) in limits {
        let key = keys.limit_key(scope, value);
        if tx.hit(scope, &key, window(now, HOUR_SECONDS)).await? > most {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Counts a change of somebody's subscriptions; false where there are too many, and then likewise.
pub(super) async fn admit_change(
    tx: &mut Tx<'_>,
    keys: &Keys,
    subscriber: i64,
    origin: &Origin<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let key = keys.limit_key("changes", origin.network);
    let hits = tx.hit("changes", &key, window(now, HOUR_SECONDS)).await?;
    if hits > CHANGES_A_NETWORK_AN_HOUR_MAX {
        return Ok(false);
    }
    let key = keys.limit_key("own", &subscriber.to_string());
    let hits = tx.hit("own", &key, window(now, DAY_SECONDS)).await?;
    Ok(hits <= CHANGES_A_SUBSCRIBER_A_DAY_MAX)
}

/// Counts a mail that a stranger causes; false where there are too many to this address.
pub(super) async fn admit_mail(
    tx: &mut Tx<'_>,
    keys: &Keys,
    address: &EmailAddress,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let key = keys.limit_key("address", &mailbox(address));
    let hits = tx.hit("address", &key, window(now, DAY_SECONDS)).await?;
    Ok(hits <= MAILS_AN_ADDRESS_A_DAY_MAX)
}

/// The mailbox that an address most likely leads to: without a tag (RFC 5233 1), and without dots
/// where those mean nothing. It is for counting alone; elsewhere these are different addresses.
fn mailbox(address: &EmailAddress) -> String {
    let canonical = address.canonical();
    let (local, domain) = canonical.rsplit_once('@').unwrap_or((&canonical, ""));
    let untagged = local.split('+').next().filter(|name| !name.is_empty()).unwrap_or(local);
    match DOTLESS_DOMAINS.contains(&domain) {
        true => format!("{}@{}", untagged.replace('.', ""), DOTLESS_DOMAINS[0]),
        false => format!("{untagged}@{domain}"),
    }
}

/// The beginning of the window of time, so many seconds long, in which an instant is.
pub(super) fn window(now: Timestamp, seconds: i64) -> Timestamp {
    Timestamp(now.0 - now.0.rem_euclid(seconds))
}
