//! Two transactions that wait for each other: the database ends one, which did nothing then, and
//! can be done again.

use std::time::Duration;

use super::StoreError;

/// How often a transaction is done again at most.
const AGAIN_MAX: u32 = 6;
/// The longest pause before that, in milliseconds for each time so far.
const PAUSE_MS_MAX: u64 = 40;

/// An error that may be a collision.
pub trait MayCollide {
    /// Whether the database ended the transaction because of another that was under way.
    fn is_collision(&self) -> bool;
}

impl MayCollide for StoreError {
    fn is_collision(&self) -> bool {
        let Self::Sql(sqlx::Error::Database(cause)) = self else { return false };
        // PostgreSQL, appendix A: 40001 serialization_failure, 40P01 deadlock_detected.
        cause.code().is_some_and(|code| code == "40001" || code == "40P01")
    }
}

/// Does the work of one transaction, from its beginning to its commit, and again where it collided.
///
/// # Errors
/// As the work itself; a collision when it has collided too often.
pub async fn retrying<T, E: MayCollide, W>(mut work: impl FnMut() -> W) -> Result<T, E>
where
    W: Future<Output = Result<T, E>>,
{
    let mut times = 0;
    loop {
        match work().await {
            Err(error) if error.is_collision() && times < AGAIN_MAX => {
                times += 1;
                // By chance, so that the two do not meet again.
                let pause = rand::random_range(1..=PAUSE_MS_MAX * u64::from(times));
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            ended => return ended,
        }
    }
}
