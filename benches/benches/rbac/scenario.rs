//! Eight roles of a trucking company, twelve modules and ten types of permission: 340 grants, seven of them for own rows only.

use std::fmt::Write as _;

use stockade_rbac::{Kind, Permission, PermissionInfo, Policy, Scope};

/// Permission number `.0` of `N`. Of every ten, the first (view) and the sixth (export) read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Numbered<const N: usize>(pub(crate) u16);

/// A person asks for a permission on an own row or on somebody else's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    /// Which role the person has.
    pub(crate) role: usize,
    pub(crate) permission: Numbered<120>,
    pub(crate) own: bool,
}

pub(crate) const ROLES: [&str; 8] =
    ["owner", "admin", "dispatcher", "accountant", "safety-manager", "driver", "viewer", "api"];

pub(crate) const DRIVER: usize = 5;

const KEYS: &[[u8; 5]; 1_000] = &{
    let mut keys = [*b"p0000"; 1_000];
    let mut number = 0;
    while number < keys.len() {
        let digits = number as u16;
        keys[number] =
            [b'p', b'0', b'0' + (digits / 100) as u8, b'0' + (digits / 10 % 10) as u8, b'0' + (digits % 10) as u8];
        number += 1;
    }
    keys
};

impl<const N: usize> Numbered<N> {
    const EVERY: [Self; N] = {
        let mut every = [Self(0); N];
        let mut number = 0;
        while number < N {
            every[number].0 = number as u16;
            number += 1;
        }
        every
    };
    const INFO: [PermissionInfo; N] = {
        let mut info = [PermissionInfo::new("", Kind::Write, Scope::Tenant); N];
        let mut number = 0;
        while number < N {
            let kind = if number % 10 == 0 || number % 10 == 5 { Kind::Read } else { Kind::Write };
            if let Ok(key) = std::str::from_utf8(&KEYS[number]) {
                info[number] = PermissionInfo::new(key, kind, Scope::Tenant);
            }
            number += 1;
        }
        info
    };
}

impl<const N: usize> Permission for Numbered<N> {
    const ALL: &'static [Self] = &Self::EVERY;

    fn index(self) -> usize {
        self.0.into()
    }

    fn info(self) -> &'static PermissionInfo {
        const { &Self::INFO }.get(self.index()).expect("a number below N")
    }

    fn from_key(key: &str) -> Option<Self> {
        let number = key.strip_prefix('p')?.parse().ok()?;
        (usize::from(number) < N).then_some(Self(number))
    }
}

/// Which permissions a role has. The driver's are for own rows, all others for the tenant.
pub(crate) fn granted(role: usize) -> Vec<Numbered<120>> {
    let may = |module: u16, kind: u16| match ROLES[role] {
        "owner" => true,
        "admin" => kind != 9 || module >= 10,
        "dispatcher" => kind == 0 || module < 3 && (1..5).contains(&kind),
        "accountant" => kind == 0 || (3..6).contains(&module) && (1..7).contains(&kind),
        "safety-manager" => kind == 0 || (6..8).contains(&module) && (1..6).contains(&kind),
        "driver" => module == 0 && kind < 7,
        "viewer" => kind == 0,
        _ => module < 5 && kind < 3,
    };
    Numbered::ALL.iter().copied().filter(|permission| may(permission.0 / 10, permission.0 % 10)).collect()
}

pub(crate) fn policy() -> Policy<Numbered<120>> {
    let mut text = String::new();
    for (role, name) in ROLES.iter().enumerate() {
        let keys: Vec<_> = granted(role).into_iter().map(Permission::key).collect();
        let scope = if role == DRIVER { Scope::Own } else { Scope::Tenant };
        writeln!(text, "[[role]]\nname = {name:?}\ngrants.{scope} = {keys:?}").expect("a string takes all");
    }
    Policy::compile(&text).expect("a sound policy")
}

/// All 1,920 questions, in an order that no processor predicts.
pub(crate) fn questions() -> Vec<Question> {
    let all = (0..ROLES.len()).flat_map(|role| {
        Numbered::ALL.iter().flat_map(move |&permission| [true, false].map(|own| (role, permission, own)))
    });
    let mut questions: Vec<_> = all.map(|(role, permission, own)| Question { role, permission, own }).collect();
    let mut state = 1_u64;
    for place in (1..questions.len()).rev() {
        questions.swap(place, (draw(&mut state) % (place as u64 + 1)) as usize);
    }
    questions
}

/// So many roles with a tenth of a thousand permissions each, drawn.
pub(crate) fn wide(roles: usize) -> Vec<Vec<Numbered<1_000>>> {
    let mut state = 2;
    let drawn = |_| Numbered::ALL.iter().copied().filter(|_| draw(&mut state).is_multiple_of(10)).collect();
    (0..roles).map(drawn).collect()
}

/// A policy file of such roles.
pub(crate) fn wide_text(roles: &[Vec<Numbered<1_000>>]) -> String {
    let mut text = String::new();
    for (number, granted) in roles.iter().enumerate() {
        let keys: Vec<_> = granted.iter().map(|permission| permission.key()).collect();
        writeln!(text, "[[role]]\nname = \"r{number}\"\ngrants.tenant = {keys:?}").expect("a string takes all");
    }
    text
}

/// The high bits of a linear congruential generator.
pub(crate) fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}
