//! Planning in a history, and the comparisons.

use std::collections::btree_map::Entry::Vacant;

use banditore::store::TraceRow;

use super::*;

/// More than any history has.
const ALL: i64 = 1_000;

impl<'a> World<'a> {
    pub(super) async fn open(&mut self, of: Cadence) -> Differs {
        let expected = self.naive.due(&of, self.now);
        let busy = self.naive.sheets[&of].busy;
        let opened = self.planner.open_due(&of.0, &of.1, self.now).await.map_err(said)?;
        let Some(edition) = opened else {
            let planned = busy.filter(|edition| self.naive.editions[*edition].state == "planning");
            return same("what is due", &None, &expected.or(planned.map(|_| self.now)));
        };
        match expected {
            Some(slot) => {
                let index = self.naive.open(&of, slot);
                same("the number of editions", &self.editions.len(), &index)?;
                self.editions.push(edition);
                let mut tx = self.ground.store.read().await.map_err(said)?;
                let row = tx.edition(edition).await.map_err(said)?.ok_or("no edition")?;
                same("the slot", &row.slot_at, &slot)?;
                same("the cut", &row.cut, &self.naive.head)?;
            }
            None => same("the edition", &Some(edition), &busy.map(|index| self.editions[index]))?,
        }
        if !self.plannings.contains_key(&of) {
            self.begin(&of, edition).await?;
        }
        Ok(())
    }

    async fn begin(&mut self, of: &Cadence, edition: i64) -> Differs {
        let planning = Planning::begin(self.planner, edition, self.now).await.map_err(said)?;
        self.plannings.insert(of.clone(), planning);
        Ok(())
    }

    /// Two processes that plan the same edition take turns.
    pub(super) async fn rival(&mut self, of: Cadence) -> Differs {
        let Some(first) = self.plannings.remove(&of) else { return Ok(()) };
        let edition = self.editions[self.naive.sheets[&of].busy.ok_or("nothing is planned")?];
        match self.rivals.remove(&of) {
            Some(second) => _ = self.plannings.insert(of.clone(), second),
            None => self.begin(&of, edition).await?,
        }
        self.rivals.insert(of, first);
        Ok(())
    }

    /// Decides a chunk of what is being planned; none where nothing is.
    pub(super) async fn step(&mut self, of: &Cadence) -> Result<Option<Step>, String> {
        let Some(edition) = self.naive.sheets[of].busy else { return Ok(None) };
        if self.naive.editions[edition].state != "planning" {
            return Ok(None);
        }
        if !self.plannings.contains_key(of) {
            self.begin(of, self.editions[edition]).await?;
        }
        let cut = self.naive.editions[edition].cut;
        let before = self.told().await?;
        let planning = self.plannings.get_mut(of).expect("it was begun");
        let step = planning.step(self.now).await.map_err(said)?;
        let after = self.told().await?;
        // The model is told whom this chunk decided; what, it finds out for itself.
        for card in 0..self.naive.cards.len() {
            let subscription = self.subscriptions[card];
            if before[&subscription] < cut && after[&subscription] >= cut {
                if !self.naive.undecided(edition, card) {
                    return Err(format!("subscription {subscription} was not to be decided"));
                }
                self.naive.decide(edition, card);
            }
        }
        if step == Step::Done {
            self.plannings.remove(of);
            if let Some(mut rival) = self.rivals.remove(of) {
                let late = rival.step(self.now).await.map_err(said)?;
                same("what is left for the other process", &late, &Step::Done)?;
            }
            let missed = self.naive.finish(edition);
            same("who was left undecided", &missed, &Vec::new())?;
        }
        Ok(Some(step))
    }

    pub(super) async fn finish(&mut self, of: &Cadence) -> Differs {
        loop {
            match self.step(of).await? {
                Some(Step::More) => self.agrees().await?,
                Some(Step::Done) => return self.drop_pins(of, ALL).await,
                None => return Ok(()),
            }
        }
    }

    pub(super) async fn drop_pins(&self, of: &Cadence, limit: i64) -> Differs {
        let mut tx = self.ground.store.write().await.map_err(said)?;
        tx.drop_pins(&of.0, &of.1, limit).await.map_err(said)?;
        tx.commit().await.map_err(said)
    }

    /// A named person decides about the edition that waits.
    pub(super) async fn decide(&mut self, of: &Cadence, yes: bool, give_back: bool) -> Differs {
        let Some(edition) = self.naive.sheets[of].busy else { return Ok(()) };
        let waits = self.naive.editions[edition].state == "waiting";
        let (store, row) = (&self.ground.store, self.editions[edition]);
        let done = if yes {
            editions::approve(store, row, "sindaco", self.now).await
        } else {
            editions::refuse(store, row, give_back, "sindaco", self.now).await
        };
        let done = done.map_err(said)?.is_some();
        if waits {
            self.naive.end_waiting(edition, yes, give_back);
        }
        same("whether it could be decided", &done, &waits)
    }

    pub(super) async fn drop_message(&mut self, nth: usize) -> Differs {
        let waiting: Vec<usize> = (0..self.naive.messages.len())
            .filter(|index| self.naive.messages[*index].state == MessageState::Waiting)
            .collect();
        let Some(nth) = nth.checked_rem(waiting.len()) else { return Ok(()) };
        let message = &mut self.naive.messages[waiting[nth]];
        message.state = MessageState::Dropped;
        let (edition, card) = (self.editions[message.edition], self.subscriptions[message.card]);
        let mut tx = self.ground.store.write().await.map_err(said)?;
        let held = tx.subscription_by_id(card).await.map_err(said)?.ok_or("no subscription")?;
        let row = tx.message_of(edition, held.subscriber).await.map_err(said)?;
        let row = row.ok_or("no message")?;
        let dropped = tx.drop_by_name(row.id, "by sindaco", self.now).await.map_err(said)?;
        tx.commit().await.map_err(said)?;
        same("dropping", &dropped, &true)
    }

    /// How far each subscription has been told, as every change of one reckons it.
    async fn told(&self) -> Result<BTreeMap<i64, i64>, String> {
        let mut tx = self.ground.store.read().await.map_err(said)?;
        let cadences = tx.cadences().await.map_err(said)?;
        let mut told = BTreeMap::new();
        for index in 0..LISTS {
            let held = tx.subscriptions_after(&list(index), 0, 1_000).await.map_err(said)?;
            for held in held {
                let cadence = cadences
                    .iter()
                    .find(|row| row.list_id == held.list && row.cadence == held.cadence)
                    .ok_or("no cadence")?;
                told.insert(held.id, audience::told_so_far(&held, cadence));
            }
        }
        Ok(told)
    }

    /// Compares everything: how far each is told, the sums of each edition, each message.
    pub(super) async fn agrees(&mut self) -> Differs {
        let told = self.told().await?;
        for (card, subscription) in self.naive.cards.iter().zip(&self.subscriptions) {
            if card.state != State::Ended {
                let what = format!("how far subscription {subscription} is told");
                same(&what, &told[subscription], &card.told)?;
            }
        }
        let mut tx = self.ground.store.read().await.map_err(said)?;
        for (edition, id) in self.naive.editions.iter().zip(&self.editions) {
            let row = tx.edition(*id).await.map_err(said)?.ok_or("no edition")?;
            let sums = (row.state.as_str(), row.considered, row.empty, row.suppressed);
            let expected = (edition.state, edition.considered, edition.empty, edition.suppressed);
            same(&format!("the sums of edition {id}"), &sums, &expected)?;
            let messages = row.considered - row.empty - row.suppressed;
            same("the messages of an edition", &row.planned_messages, &messages)?;
        }
        let rows = tx.messages_after(0, None, 10_000).await.map_err(said)?;
        let mut messages = Vec::with_capacity(rows.len());
        for row in rows {
            if let Vacant(place) = self.variants.entry(row.variant_id) {
                let variant = tx.variant(row.variant_id).await.map_err(said)?;
                let variant = variant.ok_or("no variant")?.variant;
                let mut entries = variant.entries;
                entries.sort_unstable();
                place.insert((entries, variant.language.tag()));
            }
            let (entries, language) = &self.variants[&row.variant_id];
            let number = |ids: &[i64], id| ids.iter().position(|known| *known == id);
            messages.push(Message {
                edition: number(&self.editions, row.edition_id).ok_or("a strange edition")?,
                card: number(&self.subscriptions, row.subscription_id).ok_or("a stranger")?,
                after: row.window_start,
                entries: entries.clone(),
                language,
                state: row.state,
            });
        }
        let mut expected = self.naive.messages.clone();
        messages.sort();
        expected.sort();
        for pair in messages.iter().zip(&expected) {
            same("a message", pair.0, pair.1)?;
        }
        same("the number of messages", &messages.len(), &expected.len())
    }

    /// At the end the ledger adds up.
    pub(super) async fn ends(&mut self) -> Differs {
        let audit = audit(&self.ground.store, &self.keys, None, ZONE).await.map_err(said)?;
        same("the ledger's balance", &audit.balanced, &true)?;
        same("the editions of the ledger", &audit.editions.len(), &self.editions.len())?;
        self.traced().await
    }

    /// Each subscription and each edition has its line in the trace, and nobody's address or word
    /// stands in any.
    async fn traced(&mut self) -> Differs {
        let mut tx = self.ground.store.read().await.map_err(said)?;
        let lines = tx.trace_before(None, i64::MAX).await.map_err(said)?;
        let count = |action: &str| lines.iter().filter(|line| line.action == action).count();
        same("the traced joinings", &count("subscription.joined"), &self.naive.cards.len())?;
        same("the traced editions", &count("edition.opened"), &self.editions.len())?;
        let tells = |line: &&TraceRow| {
            let text = format!("{line:?}");
            text.contains("@example.org") || WORDS.iter().any(|word| text.contains(word))
        };
        same("the lines with personal values", &lines.iter().find(tells).map(|line| line.id), &None)
    }
}
