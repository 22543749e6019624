//! A look at a cadence's next edition before there is one.

use crate::model::{CadenceId, ListId, Timestamp};
use crate::store::{EditionRow, Tx};

use super::PlanError;
use super::planner::{Planner, Planning, Step, missing};

impl Planner<'_> {
    /// Opens and plans the next edition of a cadence inside one transaction, for a look at it.
    /// It works on copies, so it is exactly what would happen, nothing happens, and nobody waits.
    ///
    /// # Errors
    /// As planning itself.
    pub async fn rehearse(
        &self,
        list: &ListId,
        cadence: &CadenceId,
        now: Timestamp,
    ) -> Result<(Tx<'static>, EditionRow), PlanError> {
        let mut tx = self.store.rehearse(list, cadence, now).await?;
        let row =
            tx.hold_cadence(list, cadence).await?.ok_or_else(|| missing("cadence", cadence))?;
        let edition = match row.edition_id.filter(|_| row.planning_cut.is_some()) {
            Some(edition) => Some(edition),
            None => {
                tx.end_waiting(list, cadence).await?;
                let slot = match self.due(&mut tx, &row, now).await? {
                    Some(slot) => slot,
                    None => self.next_slot(&row, now)?,
                };
                self.open(&mut tx, &row, &slot, now).await?
            }
        };
        let edition = edition.ok_or_else(|| missing("slot of the cadence", cadence))?;
        let mut planning = Planning::begin_in(&mut tx, *self, edition, now).await?;
        while planning.step_in(&mut tx, now).await? == Step::More {}
        let planned = tx.edition(edition).await?.ok_or_else(|| missing("edition", edition))?;
        Ok((tx, planned))
    }
}
