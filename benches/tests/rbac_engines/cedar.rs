//! The same in Cedar's words: policies over entities, which Cedar evaluates. Nothing is worked out beforehand.

use std::fmt::Write as _;
use std::str::FromStr as _;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression,
};
use serde_json::{Value, json};
use stockade_rbac::{Kind, Permission, Scope};

use crate::Engine;
use crate::draw::{ASKED, Limits, Perm, Person, Row, Session, World};

pub(crate) struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    now: i64,
}

impl Engine for Cedar {
    fn of(world: &World) -> Self {
        let text = policies(world);
        let policies = PolicySet::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let entities = Entities::from_json_value(entities(world), None).unwrap();
        Self { authorizer: Authorizer::new(), policies, entities, now: world.now }
    }

    fn may(&self, person: &Person, session: Session, perm: Perm, row: &Row) -> bool {
        let [user, row] =
            [("User", person.id.to_string()), ("Row", row.id.to_string())].map(|(kind, id)| uid(kind, &id));
        let request = Request::new(user, uid("Action", perm.key()), row, self.context(person, session), None).unwrap();
        let response = self.authorizer.is_authorized(&request, &self.policies, &self.entities);
        assert_eq!(response.diagnostics().errors().count(), 0, "an error would be passed over in silence");
        response.decision() == Decision::Allow
    }
}

impl Cedar {
    fn context(&self, person: &Person, session: Session) -> Context {
        let second_factor = person.second_factor || session == Session::Impersonated;
        let facts = [
            ("session", RestrictedExpression::new_string(format!("{session:?}"))),
            ("second_factor", RestrictedExpression::new_bool(second_factor)),
            ("now", RestrictedExpression::new_long(self.now)),
        ];
        Context::from_pairs(facts.map(|(name, fact)| (name.to_owned(), fact))).unwrap()
    }
}

fn uid(kind: &str, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(EntityTypeName::from_str(kind).unwrap(), EntityId::new(id))
}

/// Whether the resource is within the scope for the principal.
fn within(scope: Scope, kind: Kind) -> String {
    let home = "resource.tenant == principal.tenant";
    let shared = match kind {
        Kind::Read => "resource.viewers.contains(principal) || resource.editors.contains(principal)",
        Kind::Write => "resource.editors.contains(principal)",
    };
    let own = format!("(resource has owner && resource.owner == principal) || {shared}");
    let team = "resource has team && principal.teams.contains(resource.team)";
    let office = "resource has office && principal.offices.contains(resource.office)";
    match scope {
        Scope::None => "false".to_owned(),
        Scope::Own => format!("{home} && ({own})"),
        Scope::Team => format!("{home} && ({own} || ({team}))"),
        Scope::Office => format!("{home} && ({own} || ({team}) || ({office}))"),
        Scope::Tenant => home.to_owned(),
        Scope::Platform => "true".to_owned(),
    }
}

/// `Action::"a", Action::"b"` of the permissions that are there at a scope, with their kind.
fn at_scope(pairs: &[(Perm, Scope)]) -> impl Iterator<Item = (Scope, Kind, String)> {
    Scope::ALL.into_iter().flat_map(move |scope| {
        [Kind::Read, Kind::Write].into_iter().filter_map(move |kind| {
            let perms = pairs.iter().filter(|(perm, at)| *at == scope && perm.kind() == kind);
            let actions: Vec<_> = perms.map(|(perm, _)| format!("Action::{:?}", perm.key())).collect();
            (!actions.is_empty()).then(|| (scope, kind, actions.join(", ")))
        })
    })
}

fn policies(world: &World) -> String {
    let mut text = String::from(
        "forbid(principal in Role::\"staff\", action in Action::\"write\", resource);\n\
         forbid(principal, action in Action::\"write\", resource) when { context.session == \"Impersonated\" };\n\
         forbid(principal, action in Action::\"guarded\", resource) unless { context.second_factor };\n",
    );
    for role in &world.roles {
        for (scope, kind, actions) in at_scope(&role.grants) {
            let (name, within) = (&role.name, within(scope, kind));
            writeln!(text, "permit(principal in Role::{name:?}, action in [{actions}], resource) when {{ {within} }};")
                .unwrap();
        }
    }
    for person in &world.people {
        let user = format!("principal == User::\"{}\"", person.id);
        for (perm, scope, until) in &person.allows {
            let (key, within) = (perm.key(), within(*scope, perm.kind()));
            let when = format!("context.now < {until} && ({within})");
            writeln!(text, "permit({user}, action == Action::{key:?}, resource) when {{ {when} }};").unwrap();
        }
        for (perm, until) in &person.denies {
            let when = until.map_or("true".to_owned(), |until| format!("context.now < {until}"));
            writeln!(text, "forbid({user}, action == Action::{:?}, resource) when {{ {when} }};", perm.key()).unwrap();
        }
        text += &person.plan.iter().map(|plan| limits(&user, plan, "true")).collect::<String>();
        text += &limits(&user, &person.token, "context.session == \"Token\"");
    }
    text += &limits("principal", &world.staff_session, "context.session == \"Impersonated\"");
    text
}

fn limits(principal: &str, limits: &Limits, when: &str) -> String {
    let limits = at_scope(limits).filter(|(scope, ..)| *scope != Scope::Platform);
    let limits = limits.map(|(scope, kind, actions)| {
        let within = within(scope, kind);
        format!("forbid({principal}, action in [{actions}], resource) when {{ {when} }} unless {{ {within} }};\n")
    });
    limits.collect()
}

fn entities(world: &World) -> Value {
    let name = |kind: &str, id: &str| json!({ "type": kind, "id": id });
    let entity = |kind: &str, id: u128| json!({ "__entity": name(kind, &id.to_string()) });
    let mut all = Vec::new();
    for perm in ASKED {
        let mut parents = vec![name("Action", if perm.kind() == Kind::Write { "write" } else { "read" })];
        parents.extend(perm.info().needs_second_factor().then(|| name("Action", "guarded")));
        all.push(json!({ "uid": name("Action", perm.key()), "attrs": {}, "parents": parents }));
    }
    for role in &world.roles {
        let mut parents: Vec<_> = role.inherits.iter().map(|parent| name("Role", &world.roles[*parent].name)).collect();
        parents.extend(role.staff.then(|| name("Role", "staff")));
        all.push(json!({ "uid": name("Role", &role.name), "attrs": {}, "parents": parents }));
    }
    for person in &world.people {
        let parents: Vec<_> = person.roles.iter().map(|role| name("Role", &world.roles[*role].name)).collect();
        let teams: Vec<_> = person.teams.iter().map(|team| entity("Team", *team)).collect();
        let offices: Vec<_> = person.offices.iter().map(|office| entity("Office", *office)).collect();
        let attrs = json!({ "tenant": entity("Tenant", person.tenant), "teams": teams, "offices": offices });
        all.push(json!({ "uid": name("User", &person.id.to_string()), "attrs": attrs, "parents": parents }));
    }
    for row in &world.rows {
        let shared = |kind| -> Vec<_> {
            row.shared.iter().filter(|(_, at)| *at == kind).map(|(person, _)| entity("User", *person)).collect()
        };
        let mut attrs = json!({ "tenant": entity("Tenant", row.tenant),
            "viewers": shared(Kind::Read), "editors": shared(Kind::Write) });
        for (attr, kind, fact) in
            [("owner", "User", row.owner), ("team", "Team", row.team), ("office", "Office", row.office)]
        {
            if let Some(fact) = fact {
                attrs[attr] = entity(kind, fact);
            }
        }
        all.push(json!({ "uid": name("Row", &row.id.to_string()), "attrs": attrs, "parents": [] }));
    }
    Value::Array(all)
}
