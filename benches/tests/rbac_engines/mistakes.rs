//! What these engines do with mistakes, so that the tests of stockade-rbac against the same mistakes (its `tests/it/mistakes.rs`) are
//! about something. A new version of an engine that does better fails here, and the line about it can go.

use std::str::FromStr as _;

use casbin::{CachedEnforcer, CoreApi, DefaultModel, EnforceContext, Enforcer, StringAdapter};
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};

use crate::now;

const MODEL: &str = "
[request_definition]
r = sub, act
r2 = sub, act

[policy_definition]
p = sub, act, eft
p2 = sub, act, eft

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
e2 = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = r.act == p.act && g(r.sub, p.sub)
m2 = r2.act == p2.act && r2.sub == p2.sub
";

fn casbin<E: CoreApi>(rules: &str) -> E {
    let model = now(DefaultModel::from_str(MODEL)).unwrap();
    now(E::new(model, StringAdapter::new(rules))).unwrap()
}

#[test]
fn casbin_allows_what_a_misspelt_deny_should_have_denied() {
    let allowed = |deny: &str| {
        let enforcer = casbin::<Enforcer>(&format!("p, ann, edit, allow\np, ann, edit, {deny}"));
        enforcer.enforce(("ann", "edit")).unwrap()
    };
    assert!(!allowed("deny"));
    assert!(allowed("Deny") && allowed("DENY") && allowed("denied"));
}

#[test]
fn casbin_ends_a_chain_of_roles_after_ten_without_a_word() {
    let reaches = |links: usize| {
        let chain: String = (1..links).map(|link| format!("g, r{link}, r{}\n", link + 1)).collect();
        let enforcer = casbin::<Enforcer>(&format!("g, ann, r1\n{chain}p, r{links}, view, allow"));
        enforcer.enforce(("ann", "view")).unwrap()
    };
    assert!(reaches(9) && !reaches(10));
}

#[test]
fn casbin_takes_roles_that_inherit_each_other_for_one() {
    let enforcer = casbin::<Enforcer>("g, a, b\ng, b, a\ng, ann, a\np, b, edit, allow");
    assert!(enforcer.enforce(("ann", "edit")).unwrap());
}

#[test]
fn casbins_cache_answers_one_context_with_what_it_answered_another() {
    let rules = "p, ann, view, deny\np2, ann, edit, allow";
    let second = || EnforceContext::new("2");
    let plain = casbin::<Enforcer>(rules);
    assert!(plain.enforce_with_context(second(), ("ann", "edit")).unwrap());
    assert!(!plain.enforce(("ann", "edit")).unwrap());

    let cached = casbin::<CachedEnforcer>(rules);
    assert!(cached.enforce_with_context(second(), ("ann", "edit")).unwrap());
    assert!(cached.enforce(("ann", "edit")).unwrap(), "the first context's answer");
}

#[test]
fn cedar_leaves_out_a_forbid_that_cannot_be_evaluated() {
    let policies = "permit(principal, action, resource); forbid(principal, action, resource) when { resource.locked };";
    let policies = PolicySet::from_str(policies).unwrap();
    let [ann, edit, row] =
        ["User::\"ann\"", "Action::\"edit\"", "Row::\"1\""].map(|name| EntityUid::from_str(name).unwrap());
    let request = Request::new(ann, edit, row, Context::empty(), None).unwrap();
    let entities = |attrs: &str| {
        let json =
            format!("[{{ \"uid\": {{ \"type\": \"Row\", \"id\": \"1\" }}, \"attrs\": {attrs}, \"parents\": [] }}]");
        Entities::from_json_str(&json, None).unwrap()
    };
    let respond = |attrs| Authorizer::new().is_authorized(&request, &policies, &entities(attrs));
    assert_eq!(respond("{ \"locked\": true }").decision(), Decision::Deny);
    let response = respond("{}");
    assert_eq!((response.decision(), response.diagnostics().errors().count()), (Decision::Allow, 1));
}
