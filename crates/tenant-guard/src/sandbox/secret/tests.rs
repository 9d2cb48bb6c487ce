use proptest::prelude::*;

use super::{NAME_BEGINNINGS, NAME_ENDS, NAME_PARTS, TOKEN_BEGINNINGS, is_suspect, is_suspect_name, is_suspect_value};

const SECRET_NAMES: &[&str] = &[
    "DATABASE_URL",
    "PGPASSWORD",
    "PGHOST",
    "PGSERVICEFILE",
    "PGPASSFILE",
    "DB_PASS",
    "SMTP_PASS",
    "MYSQL_PWD",
    "MYSQL_ROOT_PASSWORD",
    "API_KEY",
    "APIKEY",
    "api_key",
    "Stripe_Secret",
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "GITHUB_TOKEN",
    "NPM_CONFIG_USERCONFIG",
    "SSH_AUTH_SOCK",
    "VAULT_ADDR",
    "KUBECONFIG",
    "REDIS_URL",
    "SENTRY_DSN",
    "SESSION_SIGNING",
    "PASS_WORD",
    "P_A_S_S_W_D",
    "HTTP_COOKIE",
    "DBUS_SESSION_BUS_ADDRESS",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "ENCRYPTION_KEY_BASE64",
    "PEPPER",
    "JWT",
    "SOME_URI",
    "PWD_PWD",
];

const HARMLESS_NAMES: &[&str] =
    &["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TERM", "PWD", "OLDPWD", "TMPDIR", "USER", "SHLVL", "RUST_LOG"];

const SECRET_VALUES: &[&str] = &[
    "postgres://app:hunter2@db/prod",
    "postgres://app@db/prod",
    "jdbc:postgresql://db/prod?user=app&password=hunter2",
    "host=db user=app password=hunter2",
    "redis://:pa/ss@cache:6379",
    "see https://user:x@example.com/ for more",
    "-----BEGIN PRIVATE KEY-----\nMIIE",
    "AKIAIOSFODNN7EXAMPLE",
    "config:AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789",
    "{\"type\":\"service_account\",\"private_key\":\"x\"}",
    "Bearer abc",
    "$argon2id$v=19$m=1,t=1,p=1$x$y",
    "eyJhbGciOiJub25lIn0.e30.",
    "Server=db;User Id=app;Pwd=hunter2;",
    "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
];

const HARMLESS_VALUES: &[&str] = &[
    "",
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "en_US.UTF-8",
    "xterm-256color",
    "x86_64-unknown-linux-gnu",
    "Europe/Berlin",
    "info,sqlx=warn,tower_http::trace=debug",
    "https://docs.example.com/reference/2024/08/index.html",
    "67e55044-10b1-426f-9247-bb680e5fe0c8",
    "/home/user/projects/stockade-2024/target/debug/deps",
];

#[test]
fn names_and_values_of_secrets_are_suspect() {
    for name in SECRET_NAMES {
        assert!(is_suspect(name, ""), "{name}");
    }
    for value in SECRET_VALUES {
        assert!(is_suspect("HARMLESS", value), "{value}");
    }
}

#[test]
fn what_programs_need_is_not_suspect() {
    for name in HARMLESS_NAMES {
        assert!(!is_suspect(name, ""), "{name}");
    }
    for value in HARMLESS_VALUES {
        assert!(!is_suspect("HARMLESS", value), "{value}");
    }
}

/// A name in which upper and lower case alternate as the bits say.
fn mixed(name: &str, bits: u64) -> String {
    let cased = |(at, c): (usize, char)| if bits >> (at % 64) & 1 == 1 { c.to_ascii_lowercase() } else { c };
    name.chars().enumerate().map(cased).collect()
}

proptest! {
    #[test]
    fn no_case_prefix_or_underscore_hides_a_name(
        part in proptest::sample::select(NAME_PARTS), before in "[A-Z]{0,6}", after in "[A-Z0-9]{0,6}", cut in 1_usize..5, bits: u64,
    ) {
        let (first, second) = part.split_at(cut.min(part.len() - 1));
        for name in [
            format!("{before}{part}{after}"),
            format!("{before}_{part}_{after}"),
            format!("{before}_{first}_{second}{after}"),
        ] {
            prop_assert!(is_suspect_name(&mixed(&name, bits)), "{name}");
        }
    }

    #[test]
    fn beginnings_and_ends_are_found(
        beginning in proptest::sample::select(NAME_BEGINNINGS), end in proptest::sample::select(NAME_ENDS), rest in "[A-Z]{1,9}", bits: u64,
    ) {
        for name in [format!("{beginning}{rest}"), format!("{rest}{end}")] {
            prop_assert!(is_suspect_name(&mixed(&name, bits)), "{name}");
        }
    }

    #[test]
    fn marked_tokens_are_found_anywhere(
        token in proptest::sample::select(TOKEN_BEGINNINGS), rest in "[A-Za-z0-9]{4,30}", before in "([a-z]{0,8}[ :=,])?",
    ) {
        let value = format!("{before}{token}{rest}");
        prop_assert!(is_suspect_value(&value), "{value}");
    }

    /// 24 random bytes and more, as people encode them.
    #[test]
    fn random_keys_are_found(bytes in proptest::collection::vec(any::<u8>(), 24..64), before in "([a-z]{1,8}=)?") {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        // All digits or all letters is possible, and is not what this is about.
        prop_assume!(hex.bytes().any(|b| b.is_ascii_digit()) && hex.bytes().any(|b| b.is_ascii_alphabetic()));
        prop_assume!(bytes.iter().collect::<std::collections::BTreeSet<_>>().len() > 16);
        prop_assert!(is_suspect_value(&format!("{before}{hex}")), "{hex}");
    }

    #[test]
    fn a_password_in_a_url_is_found(scheme in "[a-z]{2,10}", user in "[a-z]{0,8}", password in "[!-~&&[^@]]{1,20}", host in "[a-z.]{1,12}") {
        let value = format!("{scheme}://{user}:{password}@{host}/db");
        prop_assert!(is_suspect_value(&value), "{value}");
    }
}
