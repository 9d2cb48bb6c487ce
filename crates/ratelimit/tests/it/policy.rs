//! Policies as TOML.

use stockade_ratelimit::{By, Disclosure, Key, Mode, Policy, Problem, Route, Unit};

use crate::bench::{cost, n};

fn problems(text: &str) -> Vec<String> {
    Policy::parse(text).unwrap_err().problems().iter().map(ToString::to_string).collect()
}

fn with_rule(line: &str) -> String {
    let field = line.split('=').next().unwrap().trim();
    let rule = [
        ("name", "name = \"r.one\""),
        ("key", "key = \"ip\""),
        ("algorithm", "algorithm = \"exact\""),
        ("limit", "limit = 5"),
        ("window", "window = \"15m\""),
    ];
    let rest: Vec<&str> = rule.iter().filter(|(name, _)| *name != field).map(|(_, line)| *line).collect();
    format!("[[route]]\nname = \"r\"\n[[route.rule]]\n{}\n{line}\n", rest.join("\n"))
}

#[test]
fn presets_are_limiters() {
    for preset in ["login", "sign-up", "otp", "reset", "downloads", "webhooks", "exports"] {
        let policy = Policy::parse(&format!("[[route]]\nname = \"{preset}\"\npreset = \"{preset}\"")).unwrap();
        let limiter = policy.limiter().capacity(16).build().unwrap();
        for rule in policy.route(preset).unwrap().rules() {
            let decision = limiter.peek(&[(rule.limit().name(), Key::text("k"))], cost(1)).unwrap();
            assert!(decision.allowed && rule.limit().name().starts_with(preset));
        }
    }
    let renamed = Policy::parse("[[route]]\nname = \"staff\"\npreset = \"login\"").unwrap();
    let names: Vec<&str> = renamed.routes()[0].rules().iter().map(|rule| rule.limit().name()).collect();
    assert_eq!(names, ["staff.ip", "staff.net56", "staff.net48", "staff.account"]);
    assert_eq!(Policy::parse("[[route]]\nname = \"login\"\npreset = \"login\"").unwrap().routes(), [Route::login()]);
}

#[test]
fn a_rule_says_all_that_a_rule_can_say() {
    let text = with_rule("key = [\"tenant\", \"route\"]\nmode = \"shadow\"\nasked = \"if-known\"\nreserve_kib = 3");
    let policy = Policy::parse(&text.replace("name = \"r\"", "name = \"r\"\ndisclose = \"full\"")).unwrap();
    let route = policy.route("r").unwrap();
    assert_eq!(route.disclosure(), Disclosure::Full);
    let expected = stockade_ratelimit::RouteRule::new(
        stockade_ratelimit::Rule::exact("r.one", n(5), std::time::Duration::from_secs(900)).in_mode(Mode::Shadow),
        [By::Tenant, By::Route],
    );
    let expected = expected.asked(stockade_ratelimit::Asked::IfKnown).counting(Unit::Kibibytes { reserve: n(3) });
    assert_eq!(route.rules(), [expected]);
}

#[test]
fn every_wrong_word_is_reported_by_name() {
    let wrong = [
        ("key = \"cookie\"", "`r.one`: `cookie` is no key"),
        ("algorithm = \"fixed\"", "`r.one`: `fixed` is no algorithm"),
        ("limit = 0", "`r.one`: `0` is no limit"),
        ("limit = -5", "`r.one`: `-5` is no limit"),
        ("limit = 4294967296", "`r.one`: `4294967296` is no limit"),
        ("window = \"15\"", "`r.one`: `15` is no window"),
        ("window = \"99999999999999999999d\"", "`r.one`: `99999999999999999999d` is no window"),
        ("mode = \"on\"", "`r.one`: `on` is no mode"),
        ("asked = \"never\"", "`r.one`: `never` is no way to ask"),
        ("reserve_kib = 0", "`r.one`: `0` is no number of KiB"),
    ];
    for (line, message) in wrong {
        assert_eq!(problems(&with_rule(line)), [message], "{line}");
    }
}

#[test]
fn every_unusable_rule_is_reported() {
    let wrong =
        ["name = \"R One\"", "key = []", "limit = 129", "window = \"0s\"", "window = \"367d\"", "reserve_kib = 6"];
    for line in wrong {
        let error = Policy::parse(&with_rule(line)).unwrap_err();
        assert!(matches!(error.problems(), [Problem::Unusable { .. }]), "{line}: {error}");
    }
}

#[test]
fn all_problems_come_at_once() {
    let text = format!(
        "{}\n[[route]]\nname = \"r\"\npreset = \"sign-in\"\n[[route]]\nname = \"e\"\n",
        with_rule("key = \"cookie\"\nmode = \"on\"")
    );
    let found = problems(&text);
    let expected = [
        "`r.one`: `cookie` is no key",
        "`r.one`: `on` is no mode",
        "`r`: `sign-in` is no preset",
        "route `e` has no rule",
        "two routes are named `r`",
    ];
    assert_eq!(found, expected);
    let summary = Policy::parse(&text).unwrap_err().to_string();
    assert!(summary.ends_with("(and 4 more)") && !summary.contains('\n'), "{summary}");
}

#[test]
fn an_unknown_field_is_refused() {
    let message = problems(&with_rule("burst = 3")).remove(0);
    assert!(message.starts_with("line 9: unknown field `burst`"), "{message}");
    assert!(problems("[[routes]]\n")[0].contains("unknown field `routes`"));
    assert_eq!(problems(""), ["it has no route"]);
}

#[test]
fn a_long_name_in_a_preset_is_noticed() {
    let name = "x".repeat(64);
    let error = Policy::parse(&format!("[[route]]\nname = \"{name}\"\npreset = \"exports\"")).unwrap_err();
    assert!(error.problems().iter().all(|problem| matches!(problem, Problem::Unusable { .. })), "{error}");
}
