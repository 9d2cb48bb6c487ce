//! Random policies, people and rows, as plain facts that each engine puts into its own words.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use stockade_rbac::{Kind, Permission, Scope};

stockade_rbac::permissions! {
    /// Reads and writes of every width, some of which need a second factor.
    pub enum Perm {
        LoadView       = "load.view":       Read,  up to Platform;
        LoadEdit       = "load.edit":       Write, up to Tenant;
        LoadExport     = "load.export":     Read,  up to Office;
        DriverView     = "driver.view":     Read,  up to Platform;
        DriverReveal   = "driver.reveal":   Read,  up to Tenant, mfa;
        PayApprove     = "pay.approve":     Write, up to Tenant, mfa;
        LedgerPost     = "ledger.post":     Write, up to Office;
        NoteWrite      = "note.write":      Write, up to Own;
        Impersonate    = "user.impersonate": Read, up to Platform, audit;
    }
}

/// What is asked about. To impersonate is the way to one of the sessions, and no question.
pub(crate) const ASKED: [Perm; 8] = [
    Perm::LoadView,
    Perm::LoadEdit,
    Perm::LoadExport,
    Perm::DriverView,
    Perm::DriverReveal,
    Perm::PayApprove,
    Perm::LedgerPost,
    Perm::NoteWrite,
];

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) roles: Vec<Role>,
    pub(crate) people: Vec<Person>,
    pub(crate) rows: Vec<Row>,
    /// Minutes since the clock of these tests began.
    pub(crate) now: i64,
    /// What the session of the member of staff who impersonates is limited to.
    pub(crate) staff_session: Limits,
}

#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) staff: bool,
    pub(crate) inherits: BTreeSet<usize>,
    pub(crate) grants: Vec<(Perm, Scope)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: u128,
    pub(crate) tenant: u128,
    pub(crate) teams: BTreeSet<u128>,
    pub(crate) offices: BTreeSet<u128>,
    pub(crate) roles: BTreeSet<usize>,
    /// Until when.
    pub(crate) allows: Vec<(Perm, Scope, i64)>,
    pub(crate) denies: Vec<(Perm, Option<i64>)>,
    pub(crate) plan: Option<Limits>,
    pub(crate) token: Limits,
    pub(crate) second_factor: bool,
}

/// How far each permission may reach at most.
pub(crate) type Limits = Vec<(Perm, Scope)>;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) id: usize,
    pub(crate) tenant: u128,
    pub(crate) owner: Option<u128>,
    pub(crate) team: Option<u128>,
    pub(crate) office: Option<u128>,
    /// With which person, and whether to edit.
    pub(crate) shared: Option<(u128, Kind)>,
}

/// How a person asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Session {
    Direct,
    Token,
    Impersonated,
}

impl World {
    /// The same one for the same number.
    pub(crate) fn draw(number: u64) -> Self {
        let rng = &mut StdRng::seed_from_u64(number);
        let mut roles: Vec<Role> = Vec::new();
        for place in 0..rng.random_range(2..7) {
            let role = draw_role(place, &roles, rng);
            roles.push(role);
        }
        let people = (1..4).map(|id| draw_person(id, roles.len(), rng)).collect();
        let rows = (0..8).map(|id| draw_row(id, rng)).collect();
        Self { roles, people, rows, now: rng.random_range(0..240), staff_session: draw_limits(rng) }
    }

    /// Whether the person has a role of the platform's staff.
    pub(crate) fn is_staff(&self, person: &Person) -> bool {
        person.roles.iter().any(|role| self.roles[*role].staff)
    }

    /// Nobody impersonates staff.
    pub(crate) fn sessions(&self, person: &Person) -> impl Iterator<Item = Session> {
        let staff = self.is_staff(person);
        let sessions = [Session::Direct, Session::Token, Session::Impersonated].into_iter();
        sessions.filter(move |session| !(staff && *session == Session::Impersonated))
    }

    /// What is asked in each session.
    pub(crate) fn questions(&self) -> impl Iterator<Item = (Perm, &Row)> {
        ASKED.into_iter().flat_map(|perm| self.rows.iter().map(move |row| (perm, row)))
    }
}

fn of_rank(rank: usize) -> Scope {
    Scope::ALL[rank]
}

/// Among what the compiler of policies accepts: staff roles read and inherit nothing, the others reach a tenant at most, and no
/// grant is narrower than what is inherited.
fn draw_role(place: usize, earlier: &[Role], rng: &mut StdRng) -> Role {
    let staff = rng.random_bool(0.1);
    let parents =
        (0..rng.random_range(0..3)).filter_map(|_| (0..earlier.len()).collect::<Vec<_>>().choose(rng).copied());
    let inherits: BTreeSet<_> = parents.filter(|parent| !staff && !earlier[*parent].staff).collect();
    let mut grants = Vec::new();
    for perm in ASKED {
        let widest = perm.info().up_to().min(if staff { Scope::Platform } else { Scope::Tenant });
        let scope = of_rank(rng.random_range(1..=5)).min(widest);
        let inherited = inherits.iter().map(|parent| reached(*parent, perm, earlier)).max().unwrap_or_default();
        let writes = staff && perm.kind() == Kind::Write;
        if rng.random_bool(0.6) && !writes && inherited <= scope {
            grants.push((perm, scope));
        }
    }
    Role { name: format!("role-{place}"), staff, inherits, grants }
}

fn reached(role: usize, perm: Perm, roles: &[Role]) -> Scope {
    let role = &roles[role];
    let own = role.grants.iter().filter(|(granted, _)| *granted == perm).map(|(_, scope)| *scope);
    own.chain(role.inherits.iter().map(|parent| reached(*parent, perm, roles))).max().unwrap_or_default()
}

fn draw_person(id: u128, roles: usize, rng: &mut StdRng) -> Person {
    let some = |rng: &mut StdRng| (0..rng.random_range(0..3)).map(|_| rng.random_range(1..4)).collect();
    let until = |rng: &mut StdRng| rng.random_range(0..400);
    let perm = |rng: &mut StdRng| *ASKED.choose(rng).unwrap();
    let (allows, denies) = (rng.random_range(0..5), rng.random_range(0..2));
    Person {
        id,
        tenant: draw_tenant(rng),
        teams: some(rng),
        offices: some(rng),
        roles: (0..rng.random_range(1..4)).map(|_| rng.random_range(0..roles)).collect(),
        allows: (0..allows)
            .map(|_| {
                let perm = perm(rng);
                let scope = of_rank(rng.random_range(1..5)).min(perm.info().up_to());
                (perm, scope, until(rng))
            })
            .collect(),
        denies: (0..denies).map(|_| (perm(rng), rng.random_bool(0.7).then(|| until(rng)))).collect(),
        plan: rng.random_bool(0.5).then(|| draw_limits(rng)),
        token: draw_limits(rng),
        second_factor: rng.random_bool(0.7),
    }
}

/// More often generous than not, or nothing would be left to compare.
fn draw_limits(rng: &mut StdRng) -> Limits {
    let limit = |perm| (perm, if rng.random_bool(0.6) { Scope::Platform } else { of_rank(rng.random_range(0..5)) });
    ASKED.map(limit).to_vec()
}

fn draw_tenant(rng: &mut StdRng) -> u128 {
    if rng.random_bool(0.85) { 1 } else { 2 }
}

fn draw_row(id: usize, rng: &mut StdRng) -> Row {
    let fact = |rng: &mut StdRng| rng.random_bool(0.6).then(|| rng.random_range(1..4));
    let kind = if rng.random_bool(0.5) { Kind::Read } else { Kind::Write };
    Row {
        id,
        tenant: draw_tenant(rng),
        owner: fact(rng),
        team: fact(rng),
        office: fact(rng),
        shared: rng.random_bool(0.2).then(|| (rng.random_range(1..4), kind)),
    }
}
