use proptest::prelude::*;

use super::*;

const CONTEXT: &str = "(tenant_id = ( SELECT c.tenant_id\n   FROM stockade.current_tenant c))";

fn reads(text: &str) -> Reach {
    reach(text, "loads", "tenant_id")
}

/// Each of these came out of `pg_get_expr` on PostgreSQL 15.
#[test]
fn comparisons_with_the_context_are_bound() {
    for text in [
        CONTEXT,
        "(tenant_id = ( SELECT (current_setting('a.b'::text, true))::uuid AS current_setting))",
        "((tenant_id = (NULLIF(current_setting('a.b'::text, true), ''::text))::uuid) AND (name <> 'q'::text))",
        "((tenant_id)::text = current_setting('a.b'::text))",
        "((current_setting('a.b'::text))::uuid = tenant_id)",
        "(tenant_id = app.current_tenant())",
        "((tenant_id)::text = (CURRENT_USER)::text)",
        "false",
    ] {
        assert_eq!(reads(text), Reach::Bound, "{text}");
    }
}

#[test]
fn what_ignores_the_tenant_is_open() {
    for text in [
        "true",
        "(name = 'x'::text)",
        "(name = 'tenant_id = current_setting()'::text)",
        "((tenant_id = ANY (ARRAY[gen_random_uuid()])) OR true)",
        "((tenant_id = ( SELECT c.tenant_id FROM stockade.current_tenant c)) OR app.is_admin())",
        "((name <> 'q'::text) AND (id > 3))",
    ] {
        assert_eq!(reads(text), Reach::Open, "{text}");
    }
}

/// None of these may pass: the row decides, the comparison is turned round, or the form is unknown.
#[test]
fn lookalikes_are_unclear() {
    for text in [
        "(tenant_id = ( SELECT loads.tenant_id))",
        "(tenant_id IN ( SELECT gen_random_uuid() AS gen_random_uuid))",
        "(tenant_id = ANY (ARRAY[gen_random_uuid()]))",
        "(tenant_id = tenant_id)",
        "CASE\n    WHEN (name = 'x'::text) THEN true\n    ELSE (tenant_id = (CURRENT_USER)::uuid)\nEND",
        "(NOT (tenant_id = (CURRENT_USER)::uuid))",
        "(tenant_id <> (CURRENT_USER)::uuid)",
        "(NOT (tenant_id IS DISTINCT FROM (CURRENT_USER)::uuid))",
        "(tenant_id = COALESCE((NULLIF(current_setting('x'::text, true), ''::text))::uuid, tenant_id))",
        "(tenant_id = '00000000-0000-0000-0000-000000000000'::uuid)",
        "(tenant_id IS NOT NULL)",
        "app.same_tenant(tenant_id)",
        "app.may_read(loads.*)",
        "(EXISTS ( SELECT 1 FROM app.member m WHERE (m.load_id = loads.id)))",
        "((tenant_id)::character varying(1) = current_setting('a.b'::text))",
        "((tenant_id)::\"char\" = (current_setting('a.b'::text))::\"char\")",
        "(tenant_id OPERATOR(app.=) (current_setting('a.b'::text))::uuid)",
        "(\"tenant_id\" = \"current_user\")",
    ] {
        assert_eq!(reads(text), Reach::Unclear, "{text}");
    }
}

fn policy(name: &str, permissive: bool, command: &str, reads: Option<&str>, writes: Option<&str>) -> Policy {
    Policy {
        relation: 1,
        name: name.to_owned(),
        permissive,
        command: command.to_owned(),
        reads: reads.map(str::to_owned),
        writes: writes.map(str::to_owned),
    }
}

fn word(policies: &[Policy]) -> (String, String) {
    let seen = judge(policies, "loads", "tenant_id").observation(Subject::new("loads"), Utc::now());
    (seen.outcome().word().to_owned(), seen.outcome().reason().unwrap_or_default().to_owned())
}

#[test]
fn a_restrictive_policy_binds_what_a_permissive_one_opens() {
    let open = policy("access", true, "*", Some("true"), Some("true"));
    let floor = policy("floor", false, "*", Some(CONTEXT), Some(CONTEXT));
    assert_eq!(word(&[open, floor]).0, "pass");
}

#[test]
fn a_second_permissive_policy_widens() {
    let tenant = policy("tenant", true, "*", Some(CONTEXT), None);
    let careless = policy("careless", true, "r", Some("true"), None);
    assert_eq!(word(&[tenant, careless]), ("fail".into(), "policy careless allows reading rows of any tenant".into()));
}

#[test]
fn a_check_that_allows_anything_is_found() {
    let tenant = policy("tenant", true, "*", Some(CONTEXT), Some("true"));
    assert_eq!(word(&[tenant]), ("fail".into(), "policy tenant allows inserting rows for any tenant".into()));
}

#[test]
fn a_missing_check_is_using_as_in_postgresql() {
    assert_eq!(word(&[policy("tenant", true, "*", Some(CONTEXT), None)]).0, "pass");
}

#[test]
fn a_floor_for_reading_does_not_bind_writing() {
    let open = policy("access", true, "*", Some("true"), Some("true"));
    let floor = policy("floor", false, "r", Some(CONTEXT), None);
    assert_eq!(word(&[open, floor]), ("fail".into(), "policy access allows inserting rows for any tenant".into()));
}

#[test]
fn a_policy_without_an_expression_decides_nothing() {
    let empty = policy("empty", true, "*", None, None);
    assert_eq!(word(&[empty]), ("fail".into(), "no policy applies to the role of the application".into()));
    assert_eq!(word(&[]).0, "fail");
}

#[test]
fn an_open_policy_outranks_an_unclear_one() {
    let unclear = policy("a", true, "*", Some("app.same_tenant(tenant_id)"), None);
    let open = policy("b", true, "d", Some("true"), None);
    assert_eq!(word(&[unclear, open]), ("fail".into(), "policy b allows deleting rows of any tenant".into()));
}

proptest! {
    #[test]
    fn any_text_can_be_read(text in "[ a-z_'\"().:=<>,|E\\\\$0-9-]{0,60}") {
        let _ = reads(&text);
    }

    /// The only way to `Bound` is a comparison of the tenant column (or `false`), whatever surrounds it.
    #[test]
    fn what_does_not_name_the_tenant_never_passes(text in "[ a-z_'\"().:=<>,|]{0,60}") {
        prop_assume!(!text.contains("tenant_id") && !text.contains("false"));
        prop_assert_ne!(reads(&text), Reach::Bound);
    }

    #[test]
    fn or_true_opens_and_a_conjunct_keeps(condition in "(name = '[a-z]{0,8}'::text|id > [0-9]{1,5}|app\\.f\\(name\\))") {
        let widened = format!("({CONTEXT} OR ({condition}))");
        prop_assert_eq!(reads(&widened), Reach::Open);
        let narrowed = format!("(({condition}) AND {CONTEXT})");
        prop_assert_eq!(reads(&narrowed), Reach::Bound);
    }
}
