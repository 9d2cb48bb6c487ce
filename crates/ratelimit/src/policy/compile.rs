//! From the text of a policy to its routes, or to the list of all that is wrong with it.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use super::Policy;
use super::problem::{Problem, shown};
use super::source::{PolicySource, RouteSource, RuleSource};
use crate::route::{Asked, By, Disclosure, Route, RouteRule, Unit};
use crate::rule::{Mode, Rule};

pub(super) fn compile(text: &str) -> Result<Vec<Route>, Vec<Problem>> {
    if text.len() > Policy::MAX_SOURCE_BYTES {
        return Err(vec![Problem::TooLarge]);
    }
    let PolicySource { routes } = PolicySource::parse(text).map_err(|problem| vec![problem])?;
    if routes.is_empty() {
        return Err(vec![Problem::NoRoute]);
    }
    let mut problems = Vec::new();
    let routes: Vec<Route> = routes.iter().map(|source| route(source, &mut problems)).collect();

    let (mut names, mut rules) = (HashSet::new(), HashSet::new());
    for route in &routes {
        if !names.insert(route.name()) {
            problems.push(Problem::DuplicateRoute { route: shown(route.name()) });
        }
        for rule in route.rules() {
            if !rules.insert(rule.limit().name()) {
                problems.push(Problem::DuplicateRule { rule: shown(rule.limit().name()) });
            }
            if let Err(error) = rule.limit().validate().and_then(|()| rule.validate()) {
                problems.push(Problem::Unusable { name: shown(rule.limit().name()), problem: error.to_string() });
            }
        }
    }
    if rules.len() > Policy::MAX_RULES {
        problems.push(Problem::TooLarge);
    }
    if problems.is_empty() { Ok(routes) } else { Err(problems) }
}

/// A route, with what could be made of it.
fn route(source: &RouteSource, problems: &mut Vec<Problem>) -> Route {
    let name = || shown(&source.name);
    if !is_name(&source.name) {
        problems.push(Problem::Unusable { name: name(), problem: NAME.to_owned() });
    }
    let preset = source.preset.as_deref().map(|preset| Route::preset(preset).ok_or(preset));
    let mut route = match preset {
        Some(Ok(preset)) => preset.renamed(source.name.as_str()),
        Some(Err(value)) => {
            problems.push(Problem::UnknownValue { name: name(), value: shown(value), what: "preset" });
            Route::new(source.name.as_str())
        }
        None => {
            if source.rules.is_empty() {
                problems.push(Problem::EmptyRoute { route: name() });
            }
            Route::new(source.name.as_str())
        }
    };
    if let Some(disclosure) = word(&source.name, "disclosure", source.disclose.as_deref(), disclosure, problems) {
        route = route.disclosing(disclosure);
    }
    source.rules.iter().filter_map(|source| rule(source, problems)).fold(route, Route::rule)
}

fn rule(source: &RuleSource, problems: &mut Vec<Problem>) -> Option<RouteRule> {
    let known = problems.len();
    let by: Vec<By> = source
        .key
        .parts()
        .iter()
        .filter_map(|part| word(&source.name, "key", Some(part.as_str()), by, problems))
        .collect();
    let make = word(&source.name, "algorithm", Some(source.algorithm.as_str()), algorithm, problems);
    let window = word(&source.name, "window", Some(source.window.as_str()), window, problems);
    let mode = word(&source.name, "mode", source.mode.as_deref(), mode, problems).unwrap_or_default();
    let asked = word(&source.name, "way to ask", source.asked.as_deref(), asked, problems).unwrap_or_default();
    let limit = number(&source.name, "limit", source.limit, problems);
    let unit = match source.reserve_kib {
        None => Some(Unit::Requests),
        Some(kib) => number(&source.name, "number of KiB", kib, problems).map(|reserve| Unit::Kibibytes { reserve }),
    };
    if problems.len() > known {
        return None;
    }
    let limit = make?(source.name.clone().into(), limit?, window?).in_mode(mode);
    Some(RouteRule::new(limit, by).asked(asked).counting(unit?))
}

type Make = fn(std::sync::Arc<str>, NonZeroU32, Duration) -> Rule;

/// The meaning of a word, if it is there. One that has none is a problem.
fn word<T>(
    name: &str,
    what: &'static str,
    value: Option<&str>,
    meaning: impl Fn(&str) -> Option<T>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let value = value?;
    let found = meaning(value);
    if found.is_none() {
        problems.push(Problem::UnknownValue { name: shown(name), value: shown(value), what });
    }
    found
}

fn number(name: &str, what: &'static str, value: i64, problems: &mut Vec<Problem>) -> Option<NonZeroU32> {
    let found = u32::try_from(value).ok().and_then(NonZeroU32::new);
    if found.is_none() {
        problems.push(Problem::UnknownValue { name: shown(name), value: value.to_string(), what });
    }
    found
}

fn algorithm(word: &str) -> Option<Make> {
    match word {
        "exact" => Some(Rule::exact),
        "window" => Some(Rule::window),
        _ => None,
    }
}

fn by(word: &str) -> Option<By> {
    Some(match word {
        "ip" => By::Ip,
        "ip/56" => By::Ip56,
        "ip/48" => By::Ip48,
        "account" => By::Account,
        "user" => By::User,
        "tenant" => By::Tenant,
        "token" => By::Token,
        "route" => By::Route,
        _ => return None,
    })
}

fn disclosure(word: &str) -> Option<Disclosure> {
    Some(match word {
        "nothing" => Disclosure::Nothing,
        "retry-after" => Disclosure::RetryAfter,
        "full" => Disclosure::Full,
        _ => return None,
    })
}

fn mode(word: &str) -> Option<Mode> {
    Some(match word {
        "enforce" => Mode::Enforce,
        "shadow" => Mode::Shadow,
        "off" => Mode::Off,
        _ => return None,
    })
}

fn asked(word: &str) -> Option<Asked> {
    Some(match word {
        "always" => Asked::Always,
        "if-known" => Asked::IfKnown,
        "by-handler" => Asked::ByHandler,
        _ => return None,
    })
}

/// A whole number and a unit: `90s`.
fn window(word: &str) -> Option<Duration> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = word.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let seconds = match unit {
        "ns" => return Some(Duration::from_nanos(number)),
        "us" => return Some(Duration::from_micros(number)),
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

const NAME: &str = "a name is 1 to 64 characters from a-z, 0-9, `.`, `_` and `-`";

fn is_name(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'_' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}
