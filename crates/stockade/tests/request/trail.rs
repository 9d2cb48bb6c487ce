//! The queue between observers and the log.

use std::num::NonZeroUsize;

use sqlx::PgPool;
use stockade::{
    audit_chain::{Actor, Entry},
    bridge::{PLATFORM, Trail},
    tenant_guard::TenantDb,
};

use crate::{install::TENANTS, world::World};

fn entry(action: &str) -> Entry {
    Entry::new(TENANTS[0].into(), Actor::system("test"), action)
}

#[sqlx::test(migrations = false)]
async fn what_the_trail_loses_is_counted_in_the_log(pool: PgPool) {
    let world = World::new(pool, "trail").await;
    let trail = Trail::start(&TenantDb::new(world.requests.clone()), NonZeroUsize::new(4).unwrap());
    // The writer has not run yet: four wait, and the others find no room.
    for _ in 0..10 {
        trail.send(TENANTS[0].into(), entry("load.create"));
    }
    trail.flush().await;
    assert_eq!(world.log("load.create").await.len(), 4);
    let [line] = world.log("audit.lost").await.try_into().unwrap();
    assert_eq!((line.tenant_id, line.severity, line.after.unwrap()["entries"].as_u64()), (PLATFORM, 3, Some(6)));

    // An entry that cannot be written is lost at once, and told of with the next.
    trail.send(TENANTS[0].into(), entry(""));
    trail.send(TENANTS[0].into(), entry("load.end"));
    trail.flush().await;
    assert_eq!((world.log("load.end").await.len(), world.log("audit.lost").await.len()), (1, 2));
}
