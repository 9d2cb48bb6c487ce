use proptest::{option, prelude::*};

use super::*;
use crate::{
    key::{KeyRing, Purpose},
    redis::names::{Subject, name, subjects},
};

fn mac(first: u8) -> HmacSha256 {
    let ring = KeyRing::single(1, (first..first + 32).collect::<Vec<u8>>()).unwrap();
    ring.macs(Purpose::Cache).remove(0)
}

fn time() -> impl Strategy<Value = DateTime<Utc>> {
    (0_i64..253_402_300_799_000_000).prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap())
}

prop_compose! {
    fn entry()(
        ids: [u128; 3],
        versions: [i64; 3],
        times in [time(), time(), time(), time()],
        idle in 0_i64..40_000_000,
        totp: bool,
        mfa in option::of(time()),
        ip: IpAddr,
        user_agent in option::of(".{0,256}"),
    ) -> Entry {
        let [sid, user, tenant] = ids.map(Uuid::from_u128);
        let [user_version, tenant_version, global] = versions;
        let [looked_at, authenticated_at, last_seen_at, expires_at] = times;
        let record = SessionRecord {
            sid: sid.into(),
            user: user.into(),
            tenant: tenant.into(),
            versions: Versions { user: user_version, tenant: tenant_version, global },
            assurance: if totp { Assurance::PasswordAndTotp } else { Assurance::Password },
            authenticated_at,
            last_seen_at,
            idle: TimeDelta::seconds(idle),
            expires_at,
            ip,
            user_agent,
            mfa_required_from: mfa,
        };
        Entry { looked_at, record }
    }
}

/// As the server keeps it.
fn stored(mac: &HmacSha256, digest: &Digest, entry: &Entry) -> Vec<u8> {
    let names = subjects(&entry.record).map(|subject| name(mac, subject));
    [names.as_flattened(), &[7; STAMPS], &seal(mac, digest, &names, entry)].concat()
}

proptest! {
    #[test]
    fn what_is_kept_comes_back(entry in entry(), digest: [u8; 32]) {
        let digest = digest.into();
        let kept = stored(&mac(1), &digest, &entry);
        prop_assert_eq!(open(&mac(1), &digest, &kept), Some(entry));
    }

    #[test]
    fn nothing_else_is_believed(entry in entry(), digest: [u8; 32], at: prop::sample::Index, bit in 0_u8..8, cut: prop::sample::Index) {
        let digest = digest.into();
        let kept = stored(&mac(1), &digest, &entry);
        let mut changed = kept.clone();
        let at = at.index(kept.len());
        changed[at] ^= 1 << bit;
        // The stamps are the server's; whoever changes one makes a miss or an old answer, and age ends that.
        let stamp = (64..64 + STAMPS).contains(&at);
        prop_assert_eq!(open(&mac(1), &digest, &changed).is_some(), stamp);
        prop_assert!(open(&mac(1), &digest, &kept[..cut.index(kept.len())]).is_none());
        prop_assert!(open(&mac(2), &digest, &kept).is_none(), "another key");
        prop_assert!(open(&mac(1), &[0; 32].into(), &kept).is_none(), "another token");
    }

    #[test]
    fn reading_never_panics(body: Vec<u8>) {
        let _ = decode(&body);
        let _ = open(&mac(1), &[0; 32].into(), &body);
    }
}

#[test]
fn names_differ_by_kind_and_key() {
    let id = Uuid::nil();
    let subjects = [
        Subject::Token([0; 32].into()),
        Subject::Session(id.into()),
        Subject::All(crate::UserId::from(id).into()),
        Subject::All(crate::TenantId::from(id).into()),
        Subject::All(crate::Scope::Global),
    ];
    let mut names: Vec<_> =
        [1, 2].into_iter().flat_map(|key| subjects.map(|subject| name(&mac(key), subject))).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 10);
}
