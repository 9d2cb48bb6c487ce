//! Pages that go on by themselves: who follows one, and how far each followed tenant's log reaches.
//!
//! One task of the process asks the database for the ends of the logs, which are numbers, and tells every follower. The entries
//! themselves each follower reads in the scope of its own tenant.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Result;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::app::App;

/// As many pages as one person may follow at once: a browser gives one site six connections.
pub const SEATS_OF_A_PERSON: usize = 4;
/// As many as all the people of one tenant.
pub const SEATS_OF_A_TENANT: usize = 64;
/// How long what another process has sealed may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who follows, and the news for them.
#[derive(Debug)]
pub struct Live {
    heads: watch::Sender<Option<Heads>>,
    seats: Mutex<Vec<(Uuid, Uuid)>>,
    wake: Notify,
}

/// Each followed tenant, and the number of the last entry of its chain. None of it once the process stops.
type Heads = BTreeMap<Uuid, u64>;

impl Default for Live {
    fn default() -> Self {
        Self { heads: watch::Sender::new(Some(Heads::new())), seats: Mutex::default(), wake: Notify::new() }
    }
}

/// The right to follow a page. It is given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    live: Arc<Live>,
    who: (Uuid, Uuid),
    heads: watch::Receiver<Option<Heads>>,
}

impl Live {
    /// A seat for a person of a tenant, if they and their tenant have one left.
    pub fn sit(self: &Arc<Self>, tenant: Uuid, person: Uuid) -> Option<Seat> {
        let who = (tenant, person);
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let (own, all) = seats
            .iter()
            .fold((0, 0), |(own, all), seat| (own + usize::from(*seat == who), all + usize::from(seat.0 == tenant)));
        if own >= SEATS_OF_A_PERSON || all >= SEATS_OF_A_TENANT {
            return None;
        }
        seats.push(who);
        drop(seats);
        self.look_soon();
        Some(Seat { live: Arc::clone(self), who, heads: self.heads.subscribe() })
    }

    /// How many seats are taken.
    #[must_use]
    pub fn seats_taken(&self) -> usize {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Has the task look at once, because something was sealed.
    pub(crate) fn look_soon(&self) {
        self.wake.notify_one();
    }

    /// Lets every follower end: a server that waits for its connections would wait for them for ever.
    pub fn close(&self) {
        self.heads.send_replace(None);
    }

    fn tenants(&self) -> Vec<Uuid> {
        let mut tenants: Vec<Uuid> =
            self.seats.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|seat| seat.0).collect();
        tenants.sort_unstable();
        tenants.dedup();
        tenants
    }

    fn tell(&self, now: Heads) {
        self.heads.send_if_modified(|heads| match heads {
            Some(before) if *before != now => {
                *before = now;
                true
            }
            _ => false,
        });
    }
}

impl Seat {
    /// Waits until the tenant's log goes on behind entry `seq`, and says how far. `None` when the process stops.
    pub async fn beyond(&mut self, seq: u64) -> Option<u64> {
        let tenant = self.who.0;
        let head = |heads: &Heads| heads.get(&tenant).copied().filter(|head| *head > seq);
        let news = self.heads.wait_for(|heads| heads.as_ref().is_none_or(|heads| head(heads).is_some())).await.ok()?;
        news.as_ref().and_then(head)
    }

    /// Waits until the process stops.
    pub async fn closing(&mut self) {
        drop(self.heads.wait_for(Option::is_none).await);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.live.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = seats.iter().position(|seat| *seat == self.who) {
            seats.swap_remove(at);
        }
    }
}

impl App {
    /// Tells the followers how far their logs reach. Without a follower it asks nobody anything.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tell_followers(&self) -> Result<()> {
        let tenants = self.live.tenants();
        if tenants.is_empty() {
            return Ok(());
        }
        let heads: Vec<(Uuid, i64)> =
            sqlx::query_as("SELECT tenant_id, seq FROM stockade.audit_head WHERE tenant_id = ANY ($1)")
                .bind(tenants)
                .fetch_all(&mut *self.sealer().await?)
                .await?;
        self.live.tell(heads.into_iter().map(|(tenant, seq)| (tenant, seq.unsigned_abs())).collect());
        Ok(())
    }

    /// Does so whenever something was sealed here, and every second in any case. Runs until the task is dropped.
    pub async fn follow_forever(self: Arc<Self>) {
        loop {
            drop(tokio::time::timeout(LOOK_EVERY, self.live.wake.notified()).await);
            if let Err(error) = self.tell_followers().await {
                complain(&error);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "the operator's log of this example is standard error")]
fn complain(error: &anyhow::Error) {
    eprintln!("sample-app: the ends of the logs could not be read, and will be tried again: {error:#}");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::{Heads, Live, SEATS_OF_A_PERSON, SEATS_OF_A_TENANT};

    #[test]
    fn seats_are_bounded_for_a_person_and_for_a_tenant_and_come_back() {
        let live = Arc::new(Live::default());
        let (tenant, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut seats: Vec<_> = (0..SEATS_OF_A_PERSON).map(|_| live.sit(tenant, tenant).unwrap()).collect();
        assert!(live.sit(tenant, tenant).is_none());
        seats.pop();
        seats.push(live.sit(tenant, tenant).unwrap());
        for person in 0..(SEATS_OF_A_TENANT - SEATS_OF_A_PERSON) as u128 {
            seats.push(live.sit(tenant, Uuid::from_u128(100 + person)).unwrap());
        }
        assert!(live.sit(tenant, Uuid::from_u128(99)).is_none(), "the tenant has no seat left");
        assert!(live.sit(other, Uuid::from_u128(99)).is_some(), "another one has");
        drop(seats);
        assert_eq!(live.seats_taken(), 0);
    }

    #[tokio::test]
    async fn a_follower_hears_of_its_own_tenant_and_of_the_end() {
        let live = Arc::new(Live::default());
        let (tenant, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut seat = live.sit(tenant, tenant).unwrap();
        live.tell(Heads::from([(tenant, 3), (other, 90)]));
        assert_eq!(seat.beyond(2).await, Some(3));
        live.tell(Heads::from([(tenant, 3), (other, 91)]));
        live.close();
        live.tell(Heads::from([(tenant, 4)]));
        assert_eq!(seat.beyond(3).await, None, "after the end there is no news");
        seat.closing().await;
    }
}
