//! The same in casbin's words: rows of strings and a matcher. How a person and a row are related is worked out here, with sets; that
//! scopes include each other, that roles inherit, and what wins, is casbin's.

use std::fmt::Write as _;

use casbin::{CoreApi as _, DefaultModel, Enforcer, StringAdapter};
use stockade_rbac::{Kind, Permission, Scope};

use crate::draw::{ASKED, Limits, Perm, Person, Row, Session, World};
use crate::{Engine, now};

/// `sense` is `in` where a rule is about rows within the scope, and `out` where it is about the others.
const MODEL: &str = r#"
[request_definition]
r = sub, act, rel, now

[policy_definition]
p = sub, act, scope, sense, until, eft

[role_definition]
g = _, _
g2 = _, _

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = r.act == p.act && r.now < p.until && g(r.sub, p.sub) && (p.sense == "in") == g2(r.rel, p.scope)
"#;

const NEVER: &str = "9999";

pub(crate) struct Casbin {
    enforcer: Enforcer,
    now: String,
}

impl Engine for Casbin {
    fn of(world: &World) -> Self {
        let model = now(DefaultModel::from_str(MODEL)).unwrap();
        let enforcer = now(Enforcer::new(model, StringAdapter::new(rules(world)))).unwrap();
        Self { enforcer, now: moment(world.now) }
    }

    fn may(&self, person: &Person, session: Session, perm: Perm, row: &Row) -> bool {
        let relation = relation(person, perm.kind(), row).name();
        self.enforcer.enforce((subject(person, session), perm.key(), relation, &self.now)).unwrap()
    }
}

fn subject(person: &Person, session: Session) -> String {
    format!("{}-{session:?}", person.id)
}

/// A text that sorts as the number does.
fn moment(minutes: i64) -> String {
    format!("{:04}", minutes + 1_000)
}

/// The narrowest scope that contains the row for the person.
fn relation(person: &Person, kind: Kind, row: &Row) -> Scope {
    if row.tenant != person.tenant {
        return Scope::Platform;
    }
    let shared = row.shared.is_some_and(|(with, at)| with == person.id && (kind == Kind::Read || at == Kind::Write));
    if shared || row.owner == Some(person.id) {
        Scope::Own
    } else if row.team.is_some_and(|team| person.teams.contains(&team)) {
        Scope::Team
    } else if row.office.is_some_and(|office| person.offices.contains(&office)) {
        Scope::Office
    } else {
        Scope::Tenant
    }
}

fn rules(world: &World) -> String {
    let mut text = String::new();
    for pair in Scope::ALL[1..].windows(2) {
        writeln!(text, "g2, {}, {}", pair[0], pair[1]).unwrap();
    }
    for perm in ASKED {
        if perm.kind() == Kind::Write {
            writeln!(text, "p, reads-only, {}, platform, in, {NEVER}, deny", perm.key()).unwrap();
        }
        if perm.info().needs_second_factor() {
            writeln!(text, "p, one-factor, {}, platform, in, {NEVER}, deny", perm.key()).unwrap();
        }
    }
    for role in &world.roles {
        let mut parents: Vec<_> = role.inherits.iter().map(|parent| world.roles[*parent].name.as_str()).collect();
        parents.extend(role.staff.then_some("reads-only"));
        for parent in parents {
            writeln!(text, "g, {}, {parent}", role.name).unwrap();
        }
        for (perm, scope) in &role.grants {
            writeln!(text, "p, {}, {}, {scope}, in, {NEVER}, allow", role.name, perm.key()).unwrap();
        }
    }
    for person in &world.people {
        let id = person.id;
        for role in &person.roles {
            writeln!(text, "g, {id}, {}", world.roles[*role].name).unwrap();
        }
        for (perm, scope, until) in &person.allows {
            writeln!(text, "p, {id}, {}, {scope}, in, {}, allow", perm.key(), moment(*until)).unwrap();
        }
        for (perm, until) in &person.denies {
            let until = until.map_or(NEVER.to_owned(), moment);
            writeln!(text, "p, {id}, {}, platform, in, {until}, deny", perm.key()).unwrap();
        }
        text += &person.plan.iter().map(|plan| limits(&id.to_string(), plan)).collect::<String>();
        for session in world.sessions(person) {
            let subject = subject(person, session);
            let mut groups = vec![id.to_string()];
            groups.extend((session == Session::Impersonated).then(|| "reads-only".to_owned()));
            groups.extend((session == Session::Impersonated).then(|| "seen-by-staff".to_owned()));
            groups.extend((session != Session::Impersonated && !person.second_factor).then(|| "one-factor".to_owned()));
            for group in groups {
                writeln!(text, "g, {subject}, {group}").unwrap();
            }
        }
        text += &limits(&subject(person, Session::Token), &person.token);
    }
    text += &limits("seen-by-staff", &world.staff_session);
    text
}

fn limits(subject: &str, limits: &Limits) -> String {
    let limits = limits.iter().filter(|(_, scope)| *scope != Scope::Platform);
    let limits = limits.map(|(perm, scope)| match scope {
        Scope::None => format!("p, {subject}, {}, platform, in, {NEVER}, deny\n", perm.key()),
        _ => format!("p, {subject}, {}, {scope}, out, {NEVER}, deny\n", perm.key()),
    });
    limits.collect()
}
