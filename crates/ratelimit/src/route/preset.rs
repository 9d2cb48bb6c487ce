//! Routes that most applications have.
//!
//! Addresses are limited three times, by /64, /56 and /48 with one, four and sixteen times the limit: a customer of a
//! provider who holds a whole /48 has sixteen times the tries of one address and not 65,536 times.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::route::{Asked, By, Disclosure, Route, RouteRule, Unit};
use crate::rule::Rule;

const MINUTE: Duration = Duration::from_secs(60);
const QUARTER_HOUR: Duration = Duration::from_secs(15 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Route {
    /// Signing in: 20 requests in a quarter of an hour from an address, and 5 for an account, which the handler asks
    /// (`login.account`) and refunds when the password was right. Within the 10 attempts of PCI DSS 4.0 8.3.4.
    #[must_use]
    pub fn login() -> Self {
        Self::new("login").ladder(20, QUARTER_HOUR).rule(account("login.account", 5, QUARTER_HOUR))
    }

    /// Making an account: 10 in an hour from an address.
    #[must_use]
    pub fn sign_up() -> Self {
        Self::new("sign-up").ladder(10, HOUR)
    }

    /// Entering a one-time code: 20 requests in a quarter of an hour from an address, and 5 for an account, which the
    /// handler asks (`otp.account`). A guess of six digits is right once in a million times, so 5 in each quarter of an hour
    /// take 5.7 years on average, and a third of that where three codes are good at a time.
    #[must_use]
    pub fn otp() -> Self {
        Self::new("otp").ladder(20, QUARTER_HOUR).rule(account("otp.account", 5, QUARTER_HOUR))
    }

    /// Asking for a new password: 10 in an hour from an address, and 3 in an hour for an account, which the handler
    /// asks (`reset.account`), whether or not the account exists.
    #[must_use]
    pub fn password_reset() -> Self {
        Self::new("reset").ladder(10, HOUR).rule(account("reset.account", 3, HOUR))
    }

    /// Downloads: 60 in a minute and 2 GiB in an hour for each user. A response may be up to 16 MiB before more is
    /// charged than was reserved.
    #[must_use]
    pub fn downloads() -> Self {
        let bytes = Rule::window("downloads.bytes", number(2 * 1024 * 1024), HOUR);
        Self::new("downloads")
            .disclosing(Disclosure::Full)
            .rule(RouteRule::new(Rule::window("downloads.user", number(60), MINUTE), [By::User]))
            .rule(RouteRule::new(bytes, [By::User]).counting(Unit::Kibibytes { reserve: number(16 * 1024) }))
    }

    /// Webhooks from outside: 600 in a minute from an address, before any signature is checked, and 6,000 in a minute
    /// for a sender, which the handler asks (`webhooks.token`) once the signature is right.
    #[must_use]
    pub fn webhooks() -> Self {
        let sender = Rule::window("webhooks.token", number(6_000), MINUTE);
        Self::new("webhooks").ladder(600, MINUTE).rule(RouteRule::new(sender, [By::Token]).asked(Asked::ByHandler))
    }

    /// Exports of a tenant's data: 10 in an hour and 50 in a day.
    #[must_use]
    pub fn exports() -> Self {
        Self::new("exports")
            .disclosing(Disclosure::Full)
            .rule(RouteRule::new(Rule::window("exports.hour", number(10), HOUR), [By::Tenant]))
            .rule(RouteRule::new(Rule::window("exports.day", number(50), DAY), [By::Tenant]))
    }

    /// The presets by name, as a policy's `preset` has them.
    #[cfg(feature = "toml")]
    pub(crate) fn preset(name: &str) -> Option<Self> {
        Some(match name {
            "login" => Self::login(),
            "sign-up" => Self::sign_up(),
            "otp" => Self::otp(),
            "reset" => Self::password_reset(),
            "downloads" => Self::downloads(),
            "webhooks" => Self::webhooks(),
            "exports" => Self::exports(),
            _ => return None,
        })
    }

    /// The same rules under another name, with names of their own (`login.ip` becomes `staff-login.ip`).
    #[cfg(feature = "toml")]
    pub(crate) fn renamed(self, name: &str) -> Self {
        let rules = self.rules.into_iter().map(|rule| {
            let own = rule.rule.name().split_once('.').map(|(_, own)| format!("{name}.{own}")).unwrap_or_default();
            RouteRule { rule: rule.rule.named(own), ..rule }
        });
        Self { name: name.into(), rules: rules.collect(), ..self }
    }

    fn ladder(self, limit: u32, window: Duration) -> Self {
        let rungs = [("ip", By::Ip, 1), ("net56", By::Ip56, 4), ("net48", By::Ip48, 16)];
        let name = std::sync::Arc::clone(&self.name);
        rungs.into_iter().fold(self, |route, (rung, by, times)| {
            let limit = number(limit.saturating_mul(times));
            route.rule(RouteRule::new(Rule::window(format!("{name}.{rung}"), limit, window), [by]))
        })
    }
}

fn account(name: &str, limit: u32, window: Duration) -> RouteRule {
    RouteRule::new(Rule::exact(name, number(limit), window), [By::Account]).asked(Asked::ByHandler)
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}
