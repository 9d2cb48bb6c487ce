//! Verification of parts of a chain, of all tenants at once, and a little at a time.

use std::num::{NonZeroU64, NonZeroUsize};

use sqlx::PgPool;
use stockade_audit_chain::{
    Digest, Finding, Head,
    postgres::{IncrementalVerifier, VerifyOptions, verify, verify_all},
};

use crate::support::{SEALER, append, connect, disarm, findings, install, report, seal, tenant};

async fn log(pool: &PgPool) -> Head {
    install(pool).await;
    append(pool, tenant(1), 5).await;
    seal(pool).await;
    let middle = *report(pool, tenant(1)).await.head().unwrap();
    append(pool, tenant(1), 15).await;
    append(pool, tenant(2), 7).await;
    append(pool, tenant(3), 1).await;
    seal(pool).await;
    middle
}

#[sqlx::test(migrations = false)]
async fn a_part_is_verified_from_a_known_hash(pool: PgPool) {
    let middle = log(&pool).await;
    let mut superuser = pool.acquire().await.unwrap().detach();
    disarm(&mut superuser).await;
    let part = |after: Head, until| VerifyOptions::new().part(after, until);
    for (until, checked) in [(None, 15), (Some(20), 15), (Some(6), 1), (Some(99), 15)] {
        let report = verify(&mut superuser, tenant(1), &part(middle, until)).await.unwrap();
        assert!(report.is_intact(), "{until:?} {:?}", report.verdicts());
        assert_eq!(report.checked(), checked);
    }
    // From another hash the first link does not follow.
    let wrong = Head { hash: Digest::leaf(b""), ..middle };
    let found = verify(&mut superuser, tenant(1), &part(wrong, None)).await.unwrap();
    assert_eq!(findings(&found), [(Some(6), Finding::LinkBroken)]);
    // What is altered inside is found, what is altered outside is not looked at, and missing links are missed at the end.
    let alter =
        "UPDATE stockade.audit_entry SET action = 'x' WHERE entry_id = (SELECT entry_id FROM stockade.audit_link
        WHERE tenant_id = '00000000-0000-0000-0000-000000000001' AND seq = 8)";
    sqlx::raw_sql(alter).execute(&mut superuser).await.unwrap();
    let found = verify(&mut superuser, tenant(1), &part(middle, Some(8))).await.unwrap();
    assert_eq!(findings(&found), [(Some(8), Finding::ContentAltered)]);
    assert!(verify(&mut superuser, tenant(1), &part(middle, Some(7))).await.unwrap().is_intact());
    let delete = "DELETE FROM stockade.audit_link WHERE tenant_id = '00000000-0000-0000-0000-000000000001' AND seq = 7";
    sqlx::raw_sql(delete).execute(&mut superuser).await.unwrap();
    let found = verify(&mut superuser, tenant(1), &part(middle, Some(7))).await.unwrap();
    assert!(findings(&found).contains(&(Some(7), Finding::LinkMissing { through: 7 })));
}

/// What was kept elsewhere is judged as far as the part reaches, and never wrongly.
#[sqlx::test(migrations = false)]
async fn a_kept_head_outside_a_part_raises_no_false_alarm(pool: PgPool) {
    let middle = log(&pool).await;
    let end = *report(&pool, tenant(1)).await.head().unwrap();
    let mut sealer = connect(&pool, SEALER).await;
    let other = Digest::leaf(b"");
    let (beyond, until) = (Head { seq: 99, ..end }, Some(8));
    let replaced = (Some(5), Finding::HistoryReplaced);
    let cases = [
        (middle, None, None),
        (end, None, None),
        (end, until, None),
        (Head { hash: other, ..end }, until, None),
        (Head { seq: 2, hash: other, ..end }, None, None),
        (Head { hash: other, ..middle }, None, Some(replaced)),
        (Head { hash: other, ..end }, None, Some((Some(20), Finding::HistoryReplaced))),
        (beyond, None, Some((Some(20), Finding::Truncated { kept: 99 }))),
        (beyond, until, Some((Some(8), Finding::Truncated { kept: 99 }))),
    ];
    for (kept, until, expected) in cases {
        let options = VerifyOptions::new().part(middle, until).kept_head(kept);
        let found = findings(&verify(&mut sealer, tenant(1), &options).await.unwrap());
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{kept:?} {until:?}");
    }
}

#[sqlx::test(migrations = false)]
async fn all_tenants_are_verified_with_few_connections(pool: PgPool) {
    log(&pool).await;
    let few = NonZeroUsize::new(2).unwrap();
    let reports = verify_all(&pool, &VerifyOptions::new(), few).await.unwrap();
    let seen: Vec<_> = reports.iter().map(|report| (report.tenant(), report.checked(), report.is_intact())).collect();
    assert_eq!(seen, [(tenant(1), 20, true), (tenant(2), 7, true), (tenant(3), 1, true)]);
}

#[sqlx::test(migrations = false)]
async fn a_walk_in_steps_sees_every_link_and_comes_by_again(pool: PgPool) {
    log(&pool).await;
    let mut sealer = connect(&pool, SEALER).await;
    let mut walk = IncrementalVerifier::new(NonZeroU64::new(6).unwrap(), VerifyOptions::new());
    let mut checked = std::collections::BTreeMap::new();
    // 20 links of the first tenant in steps of 6 are four steps of three tenants in turn.
    for _ in 0..12 {
        let report = walk.step(&mut sealer).await.unwrap().unwrap();
        assert!(report.is_intact(), "{:?}", report.verdicts());
        *checked.entry(report.tenant()).or_insert(0) += report.checked();
    }
    assert_eq!(checked[&tenant(1)], 20);
    assert_eq!(checked[&tenant(2)], 14, "two passes of seven");
    // A row behind the walk is found in the next pass.
    let mut superuser = pool.acquire().await.unwrap().detach();
    disarm(&mut superuser).await;
    let alter =
        "UPDATE stockade.audit_entry SET action = 'x' WHERE entry_id = (SELECT entry_id FROM stockade.audit_link
        WHERE tenant_id = '00000000-0000-0000-0000-000000000001' AND seq = 20)";
    sqlx::raw_sql(alter).execute(&mut superuser).await.unwrap();
    let mut found = Vec::new();
    for _ in 0..12 {
        found.extend(findings(&walk.step(&mut sealer).await.unwrap().unwrap()));
    }
    assert_eq!(found, [(Some(20), Finding::ContentAltered)]);
}
