//! The same policy in other engines.

use std::fmt::Write as _;
use std::future::Future;
use std::str::FromStr as _;
use std::task::{Context as TaskContext, Poll, Waker};

use casbin::{CachedApi as _, CachedEnforcer, CoreApi, DefaultCache, DefaultModel, Enforcer, StringAdapter};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression,
};
use gatehouse::{EvaluationSession, PermissionChecker, PolicyBuilder, PolicyDomain, RbacPolicy};
use stockade_rbac::Permission;

use crate::scenario::{DRIVER, Numbered, Question, ROLES, granted};

/// Cedar with one policy a role. Requests and entities are made beforehand.
pub(crate) struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    requests: Vec<Request>,
}

/// How a policy of Cedar names the permissions of a role.
#[derive(Clone, Copy)]
pub(crate) enum Naming {
    /// `action in [Action::"a", Action::"b"]`
    List,
    /// `action in Action::"role"`, which is a group of actions.
    Group,
}

impl Cedar {
    pub(crate) fn new(questions: &[Question], naming: Naming) -> Self {
        let mut text = String::new();
        let mut groups = vec![Vec::new(); Numbered::<120>::ALL.len()];
        for (role, name) in ROLES.iter().enumerate() {
            let granted = granted(role);
            granted.iter().for_each(|permission| groups[permission.index()].push(uid("Action", name)));
            let actions = match naming {
                Naming::List => actions(&granted),
                Naming::Group => format!("Action::{name:?}"),
            };
            let when = if role == DRIVER { " when { resource.owner == principal }" } else { "" };
            writeln!(text, "permit(principal in Role::{name:?}, action in {actions}, resource){when};")
                .expect("a string takes all");
        }
        let mut entities: Vec<_> = ROLES.iter().map(|name| Entity::with_uid(uid("Role", name))).collect();
        for (role, name) in ROLES.iter().enumerate() {
            entities.push(Entity::new_no_attrs(person(role), [uid("Role", name)].into()));
            for own in [true, false] {
                let owner = if own { person(role) } else { uid("User", "nobody") };
                let owner = ("owner".to_owned(), RestrictedExpression::new_entity_uid(owner));
                let row = Entity::new(row(role, own), [owner].into(), [].into());
                entities.push(row.expect("a sound entity"));
            }
        }
        if let Naming::Group = naming {
            for (permission, groups) in Numbered::<120>::ALL.iter().zip(groups) {
                entities.push(Entity::new_no_attrs(uid("Action", permission.key()), groups.into_iter().collect()));
            }
        }
        let requests = questions.iter().map(|question| {
            let (role, action) = (question.role, uid("Action", question.permission.key()));
            Request::new(person(role), action, row(role, question.own), Context::empty(), None).expect("a request")
        });
        Self {
            authorizer: Authorizer::new(),
            policies: PolicySet::from_str(&text).expect("sound policies"),
            entities: Entities::from_entities(entities, None).expect("sound entities"),
            requests: requests.collect(),
        }
    }

    pub(crate) fn may(&self, question: usize) -> bool {
        let request = &self.requests[question];
        self.authorizer.is_authorized(request, &self.policies, &self.entities).decision() == Decision::Allow
    }
}

/// `[Action::"a", Action::"b"]`
fn actions<const N: usize>(permissions: &[Numbered<N>]) -> String {
    let actions: Vec<_> = permissions.iter().map(|permission| format!("Action::{:?}", permission.key())).collect();
    format!("[{}]", actions.join(", "))
}

fn uid(kind: &str, id: &str) -> EntityUid {
    EntityUid::from_str(&format!("{kind}::{id:?}")).expect("a name")
}

fn person(role: usize) -> EntityUid {
    uid("User", &format!("u{role}"))
}

fn row(role: usize, own: bool) -> EntityUid {
    uid("Row", &format!("{role} {own}"))
}

/// Wide roles as text for Cedar, one policy each.
pub(crate) fn cedar_text(roles: &[Vec<Numbered<1_000>>]) -> String {
    let policies = roles.iter().enumerate().map(|(number, granted)| {
        format!("permit(principal in Role::\"r{number}\", action in {}, resource);\n", actions(granted))
    });
    policies.collect()
}

/// Comparisons of texts stand before the call that looks a role up, which is three quarters of what it takes in the usual order.
const MODEL: &str = r#"
[request_definition]
r = sub, act, rel

[policy_definition]
p = sub, act, rel

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = r.act == p.act && (p.rel == "any" || p.rel == r.rel) && g(r.sub, p.sub)
"#;

fn enforcer<E: CoreApi>() -> E {
    let mut rules = String::new();
    for (role, name) in ROLES.iter().enumerate() {
        writeln!(rules, "g, u{role}, {name}").expect("a string takes all");
        for permission in granted(role) {
            let relation = if role == DRIVER { "own" } else { "any" };
            writeln!(rules, "p, {name}, {}, {relation}", permission.key()).expect("a string takes all");
        }
    }
    let model = now(DefaultModel::from_str(MODEL)).expect("a sound model");
    now(E::new(model, StringAdapter::new(rules))).expect("sound rules")
}

pub(crate) fn casbin() -> Enforcer {
    enforcer()
}

/// With room for every question: the cache as it comes holds 200 answers.
pub(crate) fn casbin_cached() -> CachedEnforcer {
    let mut enforcer: CachedEnforcer = enforcer();
    enforcer.set_cache(Box::new(DefaultCache::new(10_000)));
    enforcer
}

pub(crate) fn casbin_may<E: CoreApi>(enforcer: &E, question: Question) -> bool {
    const PEOPLE: [&str; 8] = ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7"];
    let relation = if question.own { "own" } else { "other" };
    enforcer.enforce((PEOPLE[question.role], question.permission.key(), relation)).expect("an answer")
}

pub(crate) struct Gatehouse {
    checker: PermissionChecker<Domain>,
    session: EvaluationSession,
}

struct Domain;

impl PolicyDomain for Domain {
    type Subject = usize;
    type Action = Numbered<120>;
    type Resource = Option<usize>;
    type Context = ();
}

impl Gatehouse {
    pub(crate) fn new() -> Self {
        let mut required = vec![Vec::new(); Numbered::<120>::ALL.len()];
        for role in (0..ROLES.len()).filter(|role| *role != DRIVER) {
            granted(role).iter().for_each(|permission| required[permission.index()].push(role));
        }
        let drivers = granted(DRIVER);
        let mut checker = PermissionChecker::new();
        checker.add_policy(RbacPolicy::<Domain, _, _>::new(
            move |permission: &Numbered<120>, _: &Option<usize>| required[permission.index()].clone(),
            |role: &usize| vec![*role],
        ));
        let own = PolicyBuilder::<Domain>::new("own rows").when(move |role, permission, owner, _| {
            *role == DRIVER && *owner == Some(*role) && drivers.contains(permission)
        });
        checker.add_policy(own.build());
        Self { checker, session: EvaluationSession::empty() }
    }

    pub(crate) fn may(&self, Question { role, permission, own }: Question) -> bool {
        let row = own.then_some(role);
        now(self.checker.bind(&self.session, &role, &permission, &()).check(&row)).is_granted()
    }
}

/// Runs a future that waits for nothing, with no executor to pay for.
fn now<F: Future>(future: F) -> F::Output {
    match std::pin::pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing to wait for"),
    }
}
