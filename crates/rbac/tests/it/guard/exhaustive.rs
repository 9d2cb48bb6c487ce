//! Every small policy, every pair of people, every change.

use stockade_rbac::{Actor, Change, Direct, Policy, Scope, Scopes, Subject, Target};
use uuid::Uuid;

use super::Perm;

const SCOPES: [&str; 3] = ["none", "own", "tenant"];
const NAMES: [&str; 3] = ["r0", "r1", "r2"];

/// Grants of `bill.pay` and of `user.manage`, each at one of three scopes: nine roles that there can be.
fn role(name: &str, kind: usize, owner: bool) -> String {
    let mut text = format!("[[role]]\nname = \"{name}\"\nowner = {owner}\n");
    for (key, scope) in [("bill.pay", SCOPES[kind / 3]), ("user.manage", SCOPES[kind % 3])] {
        if scope != "none" {
            text += &format!("grants.{scope} = [\"{key}\"]\n");
        }
    }
    if kind / 3 == kind % 3 && kind > 0 {
        let scope = SCOPES[kind % 3];
        text =
            format!("[[role]]\nname = \"{name}\"\nowner = {owner}\ngrants.{scope} = [\"bill.pay\", \"user.manage\"]\n");
    }
    text
}

/// The roles of a person, as the bits of a number.
fn person(policy: &Policy<Perm>, user: u128, roles: usize) -> Actor<Perm, Direct> {
    let held = NAMES.iter().enumerate().filter(|(bit, _)| roles >> bit & 1 == 1).map(|(_, name)| name);
    policy.actor(Subject::new(Uuid::from_u128(user), Uuid::from_u128(9))).roles(held).unwrap().build()
}

fn authority(policy: &Policy<Perm>, roles: usize) -> Scopes<Perm> {
    let held = policy.roles().iter().enumerate().filter(|(bit, _)| roles >> bit & 1 == 1);
    held.fold(Scopes::none(), |all, (_, role)| all.join(role.scopes()))
}

/// Checked step by step, and so along any chain of steps: whoever gets something is not above who gave it, and nobody adds
/// anything to themselves. So nothing that nobody had at the beginning is ever held by anybody.
#[test]
fn no_change_in_any_small_policy_raises_anybody_above_who_made_it() {
    let (mut policies, mut given, mut refused) = (0, 0, 0);
    for (first, second, third) in combinations() {
        for owner in [false, true] {
            let source = role("r0", first, owner) + &role("r1", second, false) + &role("r2", third, false);
            let policy = Policy::<Perm>::compile(&source).unwrap();
            policies += 1;
            for granting in 0..8 {
                let granter = person(&policy, 1, granting);
                for held in 0..8 {
                    for (user, held) in [(1, granting), (2, held)] {
                        let target = person(&policy, user, held);
                        for (bit, name) in NAMES.iter().enumerate() {
                            for (change, after) in
                                [(Change::Assign(name), held | 1 << bit), (Change::Revoke(name), held & !(1 << bit))]
                            {
                                let verdict = granter.granting(Perm::Manage).check(&Target::new(&target), &change);
                                if verdict.is_err() {
                                    refused += 1;
                                    continue;
                                }
                                given += 1;
                                let limit = authority(&policy, granting);
                                let result = authority(&policy, after);
                                assert!(result.is_within(&limit), "{source}{granting} {change:?} {held}");
                                assert!(limit.scope(Perm::Manage) != Scope::None);
                                let owners = |roles: usize| owner && roles & 1 == 1;
                                assert!(
                                    !owners(held | after) || owners(granting),
                                    "{source}{granting} {change:?} {held}"
                                );
                                assert!(!owners(held) || owners(after), "the last owner: {source}");
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(
        policies == 168 && given > 1_000 && refused > given,
        "{policies} policies, {given} given, {refused} refused"
    );
}

fn combinations() -> impl Iterator<Item = (usize, usize, usize)> {
    (0..9).flat_map(|a| (a + 1..9).flat_map(move |b| (b + 1..9).map(move |c| (a, b, c))))
}
