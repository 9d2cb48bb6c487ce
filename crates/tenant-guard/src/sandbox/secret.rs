//! What looks like a secret. Errs on the side of secrecy: a variable that is withheld without need can be exposed by its name.

/// Parts of names, compared without `_`.
const NAME_PARTS: &[&str] = &[
    "PASSW",
    "PASSPHRASE",
    "PASSCODE",
    "SECRET",
    "TOKEN",
    "KEY",
    "CRED",
    "AUTH",
    "PRIVATE",
    "COOKIE",
    "SESSION",
    "SIGNING",
    "SIGNATURE",
    "SALT",
    "PEPPER",
    "BEARER",
    "JWT",
    "WEBHOOK",
    "DATABASE",
    "CONNECTION",
    "CONNSTR",
    "DSN",
    "POSTGRES",
    "MYSQL",
    "MARIADB",
    "SQLITE",
    "MONGO",
    "REDIS",
    "AMQP",
    "RABBIT",
    "KAFKA",
    "CLICKHOUSE",
    "MSSQL",
    "NETRC",
    "PGPASS",
    "KUBECONFIG",
];

/// Beginnings of names.
const NAME_BEGINNINGS: &[&str] = &[
    "PG",
    "DB_",
    "AWS_",
    "AZURE_",
    "GCP_",
    "GOOGLE_",
    "GCLOUD_",
    "VAULT_",
    "SSH_",
    "GPG_",
    "DOCKER_",
    "GITHUB_",
    "GITLAB_",
    "NPM_",
    "STRIPE_",
    "TWILIO_",
    "SENTRY_",
    "DATADOG_",
    "DD_",
    "OPENAI_",
    "ANTHROPIC_",
    "CLOUDFLARE_",
    "DIGITALOCEAN_",
    "SUDO_",
];

/// Ends of names.
const NAME_ENDS: &[&str] = &["PASS", "PWD", "_PW", "_URL", "_URI", "_PIN", "_PAT", "_SAS"];

/// Names that the rules above would withhold without need.
const HARMLESS_NAMES: &[&str] = &["PWD", "OLDPWD"];

/// Beginnings of tokens whose issuers mark them.
const TOKEN_BEGINNINGS: &[&str] = &[
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "whsec_",
    "AIza",
    "ya29.",
    "eyJ",
    "npm_",
    "pypi-",
    "dop_v1_",
    "hvs.",
    "hvb.",
    "SG.",
    "shpat_",
    "shpss_",
    "AGE-SECRET-KEY-",
    "$argon2",
    "$2a$",
    "$2b$",
    "$2y$",
];

/// Pieces of connection strings and headers, compared in lower case.
const VALUE_PARTS: &[&str] = &[
    "-----begin",
    "password=",
    "passwd=",
    "pwd=",
    "secret=",
    "token=",
    "apikey=",
    "api_key=",
    "accountkey=",
    "sharedaccesskey",
    "\"private_key\"",
    "authorization:",
    "bearer ",
    "basic ",
];

/// Whether a variable looks like a secret, by its name or by its value.
pub(super) fn is_suspect(name: &str, value: &str) -> bool {
    is_suspect_name(name) || is_suspect_value(value)
}

pub(super) fn is_suspect_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    if HARMLESS_NAMES.contains(&name.as_str()) {
        return false;
    }
    let joined = name.replace('_', "");
    NAME_PARTS.iter().any(|part| joined.contains(part))
        || NAME_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || NAME_ENDS.iter().any(|end| name.ends_with(end))
        || name == "URL"
}

pub(super) fn is_suspect_value(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    VALUE_PARTS.iter().any(|part| lower.contains(part))
        || has_credentials_in_url(value)
        || words(value).any(|word| TOKEN_BEGINNINGS.iter().any(|beginning| word.starts_with(beginning)))
        || value.split(|c: char| !(c.is_ascii_alphanumeric() || c == '+' || c == '=')).any(is_random)
        || words(value).any(is_long_and_random)
}

/// `scheme://user@host` or `scheme://user:password@host`, anywhere.
fn has_credentials_in_url(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(|c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace()).next();
        // A password that is not percent-encoded may hold what ends an authority.
        authority.is_some_and(|authority| authority.contains('@')) || rest.contains('@')
    })
}

fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split(|c: char| c.is_whitespace() || matches!(c, ':' | '/' | ',' | ';' | '"' | '\'' | '=' | '&' | '?' | '@'))
}

/// An unbroken run of letters and digits as random bytes make it: 20 characters or more, both kinds, and at least 3 bits a character. Random
/// hexadecimal has 3.5 or more, words with a number in them about 2.5.
fn is_random(run: &str) -> bool {
    run.len() >= 20 && has_both(run) && entropy(run) >= 3.0
}

/// A longer word in which hyphens and underscores count, as in base64url. A UUID stays below.
fn is_long_and_random(word: &str) -> bool {
    word.len() >= 32 && has_both(word) && entropy(word) >= 4.1
}

fn has_both(run: &str) -> bool {
    run.bytes().any(|byte| byte.is_ascii_digit()) && run.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Shannon entropy of the bytes, in bits a byte.
fn entropy(text: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::<u8, f64>::new();
    for byte in text.bytes() {
        *counts.entry(byte).or_default() += 1.0;
    }
    let length: f64 = counts.values().sum();
    counts.values().map(|count| -(count / length) * (count / length).log2()).sum()
}

#[cfg(test)]
mod tests;
