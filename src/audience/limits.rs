//! Limits on what strangers can cause. A window is a fixed piece of time, so that counting is one
//! statement; across the border of two windows there may be twice as many.

use crate::model::Timestamp;
use crate::store::{StoreError, Tx};

use super::{EmailAddress, Keys};

/// Mails that strangers can cause to one address in a day (UTC), whatever the form.
pub const MAILS_AN_ADDRESS_A_DAY_MAX: i64 = 3;
/// Forms that one network (IPv4 /24, IPv6 /56) can send in an hour.
pub const FORMS_A_NETWORK_AN_HOUR_MAX: i64 = 30;
/// Forms that everybody together can send in an hour. Nothing else is counted beyond, so there are
/// never more counters than this in a window.
pub const FORMS_AN_HOUR_MAX: i64 = 3_000;

const HOUR_SECONDS: i64 = 3_600;
/// The longest window, in seconds; older ones are forgotten.
pub(super) const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;

/// Counts a form; false where there are too many from this network, or at all.
pub(super) async fn admit_form(
    tx: &mut Tx<'_>,
    keys: &Keys,
    network: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let all = keys.limit_key("forms", "");
    if tx.hit("forms", &all, window(now, HOUR_SECONDS)).await? > FORMS_AN_HOUR_MAX {
        return Ok(false);
    }
    let key = keys.limit_key("network", network);
    let hits = tx.hit("network", &key, window(now, HOUR_SECONDS)).await?;
    Ok(hits <= FORMS_A_NETWORK_AN_HOUR_MAX)
}

/// Counts a mail that a stranger causes; false where there are too many to this address.
pub(super) async fn admit_mail(
    tx: &mut Tx<'_>,
    keys: &Keys,
    address: &EmailAddress,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let key = keys.limit_key("address", &address.canonical());
    let hits = tx.hit("address", &key, window(now, DAY_SECONDS)).await?;
    Ok(hits <= MAILS_AN_ADDRESS_A_DAY_MAX)
}

fn window(now: Timestamp, seconds: i64) -> Timestamp {
    Timestamp(now.0 - now.0.rem_euclid(seconds))
}
