//! When a cadence's next edition is due.

use crate::model::Timestamp;
use crate::store::{CadenceRow, Tx};

use super::{GATHERING_SECONDS, PlanError, Planner, Schedule, Slot, next_midnight};

impl Planner<'_> {
    /// When the next edition is due: now or before, where one is due already or was begun; none
    /// where nothing that is known makes one due.
    ///
    /// # Errors
    /// Where the database fails, or a schedule cannot be read.
    pub async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, PlanError> {
        let mut tx = self.store.read().await?;
        let mut next = None;
        for row in tx.cadences().await? {
            let at = match (row.edition_id, row.planning_cut) {
                (Some(_), Some(_)) => Some(now),
                // It waits for approval.
                (Some(_), None) => None,
                (None, _) => self.due_at(&mut tx, &row, now).await?,
            };
            next = next.into_iter().chain(at).min();
        }
        Ok(next)
    }

    /// When the next slot of a cadence is due, as far as that is known.
    async fn due_at(
        &self,
        tx: &mut Tx<'_>,
        row: &CadenceRow,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, PlanError> {
        let zone = self.site.timezone;
        let schedule = Schedule::read(&row.schedule)?;
        if let Schedule::Cron { .. } = schedule {
            let due = schedule.due(row.last_slot_at, now, zone);
            return Ok(due.or_else(|| schedule.next(now, zone)).map(|slot| slot.at));
        }
        let gathered = tx.first_placed_after(row.last_cut).await?;
        let gathered = gathered.map(|placed| placed.plus(GATHERING_SECONDS));
        let midnight = row.left_out_at.map(|at| next_midnight(at, zone));
        Ok(gathered.into_iter().chain(midnight).min())
    }

    /// The slot of a cadence that is due, if one is.
    pub(super) async fn due(
        &self,
        tx: &mut Tx<'_>,
        row: &CadenceRow,
        now: Timestamp,
    ) -> Result<Option<Slot>, PlanError> {
        let zone = self.site.timezone;
        let schedule = Schedule::read(&row.schedule)?;
        if !matches!(schedule, Schedule::Immediate) {
            return Ok(schedule.due(row.last_slot_at, now, zone));
        }
        let due = self.due_at(tx, row, now).await?.filter(|at| *at <= now);
        Ok(due.map(|at| Slot::moment(at.max(row.last_slot_at.plus(1)), zone)))
    }

    /// The slot after now; the moment itself for immediate.
    pub(super) fn next_slot(&self, row: &CadenceRow, now: Timestamp) -> Result<Slot, PlanError> {
        let zone = self.site.timezone;
        let schedule = Schedule::read(&row.schedule)?;
        Ok(schedule.next(now, zone).unwrap_or_else(|| Slot::moment(now, zone)))
    }
}
