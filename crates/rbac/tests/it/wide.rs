//! Vocabularies of any size, without a line of source per permission.

use std::sync::LazyLock;

use stockade_rbac::{Kind, Permission, PermissionInfo, Policy, Resource, Scope, Scopes, Subject};
use uuid::Uuid;

/// Permission number `.0` of `N`. One in three writes, one in seven needs a second factor, all but one in five are
/// delegable, and `up to` varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Wide<const N: usize>(pub(crate) u16);

static INFO: LazyLock<Vec<PermissionInfo>> = LazyLock::new(|| {
    let info = |number: usize| {
        let key: &'static str = format!("p{number:04}").leak();
        let (kind, widest) = if number.is_multiple_of(3) { (Kind::Write, 4) } else { (Kind::Read, 5) };
        let info = PermissionInfo::new(key, kind, Scope::ALL[1 + number % widest]);
        let info = if number.is_multiple_of(7) { info.mfa() } else { info };
        if number.is_multiple_of(5) { info } else { info.delegable() }
    };
    (0..2048).map(info).collect()
});

impl<const N: usize> Wide<N> {
    const EVERY: [Self; N] = {
        let mut every = [Self(0); N];
        let mut number = 0_u16;
        while (number as usize) < N {
            every[number as usize] = Self(number);
            number += 1;
        }
        every
    };
}

impl<const N: usize> Permission for Wide<N> {
    const ALL: &'static [Self] = &Self::EVERY;

    fn index(self) -> usize {
        self.0.into()
    }

    fn info(self) -> &'static PermissionInfo {
        &INFO[self.index()]
    }

    fn from_key(key: &str) -> Option<Self> {
        let number = key.strip_prefix('p')?.parse::<u16>().ok()?;
        Self::ALL.iter().copied().find(|perm| perm.0 == number)
    }
}

#[test]
fn each_of_two_thousand_permissions_is_its_own() {
    type Perm = Wide<2048>;
    let lines = Perm::ALL.iter().map(|perm| {
        let (key, scope) = (perm.key(), perm.info().up_to().min(Scope::Tenant));
        format!("[[role]]\nname = \"only-{key}\"\ngrants.{scope} = [\"{key}\"]\n")
    });
    let policy = Policy::<Perm>::compile(&lines.collect::<String>()).unwrap();
    let (user, tenant) = (Uuid::now_v7(), Uuid::now_v7());
    let own = Resource::in_tenant(tenant).owner(user);
    for number in [0, 1, 62, 63, 64, 65, 127, 128, 1023, 1024, 2046, 2047] {
        let (perm, role) = (Wide(number), format!("only-p{number:04}"));
        let actor = policy.actor(Subject::new(user, tenant)).role(&role).unwrap().multi_factor().build();
        let allowed = Perm::ALL.iter().copied().filter(|other| actor.decide(*other, &own).is_allowed());
        assert!(allowed.eq([perm]));
    }
}

#[test]
fn the_last_permission_of_a_full_block_is_there() {
    fn check<const N: usize>() {
        let all = Scopes::<Wide<N>>::all();
        assert_eq!(all.iter().count(), N);
        let last = Wide(u16::try_from(N - 1).unwrap());
        assert_eq!(all.clone().with(last, Scope::None).iter().count(), N - 1);
        assert_eq!(Scopes::none().with(last, Scope::Team).scope(last), Scope::Team);
    }
    check::<1>();
    check::<63>();
    check::<64>();
    check::<65>();
    check::<128>();
    check::<1024>();
}

#[test]
fn a_permission_outside_its_vocabulary_is_denied() {
    let stray = Wide::<64>(64);
    let all = Scopes::all();
    assert_eq!(all.scope(stray), Scope::None);
    assert_eq!(all.clone().with(stray, Scope::Tenant), all);
}
