//! What explaining says at the end of a history, and what the relay has by then.

use banditore::store::OutcomeRow;

use super::super::events::PEOPLE;
use super::*;

impl World<'_> {
    /// The relay takes one of the messages that may go out.
    pub(super) async fn deliver(&mut self, nth: usize) -> Differs {
        let sendable = |message: &&mut Message| {
            let card = &self.naive.cards[message.card];
            message.state == MessageState::Queued
                && self.naive.editions[message.edition].state == "open"
                && card.state != State::Ended
                && !self.naive.suppressed.contains(&card.person)
        };
        let mut queued: Vec<&mut Message> =
            self.naive.messages.iter_mut().filter(sendable).collect();
        let Some(nth) = nth.checked_rem(queued.len()) else { return Ok(()) };
        let message = &mut queued[nth];
        message.state = MessageState::Accepted;
        let (edition, held) = (self.editions[message.edition], self.subscriptions[message.card]);
        let mut tx = self.ground.store.write().await.map_err(said)?;
        let held = tx.subscription_by_id(held).await.map_err(said)?.ok_or("no subscription")?;
        let row = tx.message_of(edition, held.subscriber).await.map_err(said)?;
        let message = row.ok_or("no message")?.id;
        tx.claim(&[message], 1, self.now).await.map_err(said)?;
        let outcome = OutcomeRow {
            message,
            attempt: 1,
            outcome: "accepted",
            state: "accepted",
            cause: None,
            next_try_at: self.now.0,
            stage: "reply",
            code: Some(250),
            reply: "250 ok".to_owned(),
        };
        tx.end_attempts(&[outcome], self.now).await.map_err(said)?;
        tx.commit().await.map_err(said)
    }

    /// Explains every item for every person; gives how many pairs there were.
    pub(super) async fn explains(&self) -> Result<usize, String> {
        let mut tx = self.ground.store.read().await.map_err(said)?;
        let mut pairs = 0;
        for person in 0..PEOPLE {
            let hash = self.keys.address_hash(&address(person));
            let subject = tx.subject_by_hash(&hash).await.map_err(said)?;
            let Some(subject) = subject else { continue };
            for (item, _, _) in &self.items {
                let row = tx.item(*item).await.map_err(said)?.ok_or("no item")?;
                let rules = support::rules();
                let why = editions::explain(&mut tx, rules, ZONE, &row, &subject, self.now);
                let why = why.await.map_err(said)?;
                let verdict = self.naive.verdict(person, *item, self.now);
                let what = || format!("person {person}, item {item}, {:#?}", why.steps);
                same("the verdict", &why.verdict, &verdict).map_err(|e| e + "\n" + &what())?;
                pairs += 1;
            }
        }
        Ok(pairs)
    }
}
