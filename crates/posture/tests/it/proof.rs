//! Every control that is measured has a test in which it passes, one in which the live system is broken on purpose, and one in which
//! it cannot be found out. This table is held against the catalogue, and against the tests that there are.

use std::{collections::BTreeSet, fs, path::Path};

use stockade_posture::{Method, catalog};

/// For each control the tests in which it passes, fails by the name of its subject, and is unknown.
const PROOF: [(&str, &str, &str, &str); 25] = [
    (
        "rls.enabled",
        "postgres::tables::a_sound_schema_passes",
        "postgres::tables::row_level_security_off_is_found",
        "postgres::robustness::a_statement_that_takes_too_long_is_unknown",
    ),
    (
        "rls.forced",
        "postgres::tables::a_sound_schema_passes",
        "postgres::tables::row_level_security_not_forced_is_found",
        "postgres::robustness::a_lost_connection_is_unknown",
    ),
    (
        "rls.policies",
        "rls_migrations::a_schema_as_declared_passes",
        "rls_migrations::what_differs_from_the_declaration_fails_by_its_name",
        "rls_migrations::a_declaration_that_is_wrong_is_unknown",
    ),
    (
        "rls.role",
        "postgres::tables::a_sound_schema_passes",
        "postgres::role::a_view_that_lost_security_invoker_is_found",
        "postgres::robustness::a_refused_catalogue_is_unknown",
    ),
    (
        "rls.probe",
        "rls_migrations::an_isolated_schema_passes_the_probe",
        "rls_migrations::a_leak_fails_the_probe_by_its_table",
        "rls_migrations::a_table_that_the_probe_cannot_test_is_unknown",
    ),
    (
        "audit.verifies",
        "audit_chain::chains_that_verify_pass",
        "audit_chain::an_altered_entry_fails_the_chain_of_its_tenant",
        "audit_chain::a_verification_that_takes_too_long_is_unknown",
    ),
    (
        "audit.append_only",
        "audit_chain::rules_as_they_were_made_pass",
        "audit_chain::rules_that_were_changed_fail_by_the_name_of_their_object",
        "audit_chain::rules_that_cannot_be_read_are_unknown",
    ),
    (
        "audit.anchored",
        "audit_chain::anchor::a_log_that_continues_its_anchor_passes",
        "audit_chain::anchor::a_history_that_was_written_anew_fails_by_its_tenant",
        "audit_chain::anchor::an_anchor_out_of_reach_is_unknown",
    ),
    (
        "audit.coverage",
        "audit_chain::coverage::what_left_entries_passes",
        "audit_chain::coverage::what_left_none_fails_by_its_name",
        "audit_chain::coverage::a_log_that_cannot_be_read_is_unknown",
    ),
    (
        "period.closed",
        "rls_migrations::guarded_postings_pass",
        "rls_migrations::a_guard_that_is_switched_off_fails_by_its_table",
        "rls_migrations::guards_that_cannot_be_read_are_unknown",
    ),
    (
        "crypto.fields",
        "field_crypto::sealed_columns_pass",
        "field_crypto::a_value_that_is_not_sealed_fails_its_column",
        "field_crypto::a_column_that_nobody_sees_is_unknown",
    ),
    (
        "crypto.rotation",
        "field_crypto::young_keys_pass",
        "field_crypto::a_retired_key_in_use_fails_by_its_number",
        "field_crypto::keys_that_cannot_be_read_are_unknown",
    ),
    (
        "crypto.disposal",
        "field_crypto::disposal::a_shredded_value_that_stays_shut_passes",
        "field_crypto::disposal::a_key_that_rose_again_fails_by_its_shred",
        "field_crypto::disposal::a_disposal_that_could_not_be_tried_is_unknown",
    ),
    (
        "rbac.least",
        "rbac::little_that_is_granted_passes",
        "rbac::much_that_is_granted_fails_by_its_role_or_tenant",
        "rbac::grants_that_nobody_sees_are_unknown",
    ),
    (
        "rbac.review",
        "rbac::reviewed_grants_pass",
        "rbac::what_a_review_would_find_fails_by_its_tenant",
        "rbac::grants_that_cannot_be_read_are_unknown",
    ),
    (
        "session.policy",
        "session::sessions_within_their_limits_pass",
        "session::sessions_that_live_too_long_fail",
        "session::sessions_that_nobody_sees_are_unknown",
    ),
    (
        "mfa.privileged",
        "session::privileged_people_with_a_second_factor_pass",
        "session::a_removed_factor_fails_the_role_of_its_holder",
        "session::privileged_people_without_accounts_are_unknown",
    ),
    (
        "mfa.all",
        "session::adoption_at_its_target_passes",
        "session::adoption_below_its_target_fails",
        "session::adoption_among_nobody_is_unknown",
    ),
    (
        "password.hash",
        "session::passwords_at_the_current_strength_pass",
        "session::weakened_passwords_fail_by_their_parameters",
        "session::passwords_that_nobody_sees_are_unknown",
    ),
    (
        "ratelimit.auth",
        "ratelimit::doors_that_close_pass",
        "ratelimit::a_door_that_stays_open_fails_by_its_name",
        "ratelimit::a_limit_that_cannot_be_tried_is_unknown",
    ),
    (
        "transport.tls",
        "edge::hsts_of_a_year_passes",
        "postgres::transport::a_connection_without_tls_is_found",
        "postgres::robustness::a_lost_connection_is_unknown",
    ),
    (
        "migrations.ledger",
        "postgres::ledger::a_ledger_like_the_program_passes",
        "postgres::ledger::a_ledger_that_differs_fails_by_its_name",
        "postgres::ledger::a_ledger_that_is_missing_is_unknown",
    ),
    (
        "supply.deny",
        "supply::a_check_without_a_finding_passes",
        "supply::a_finding_fails_by_the_name_of_its_crate",
        "supply::a_check_that_was_not_made_is_unknown",
    ),
    (
        "supply.sbom",
        "supply::a_bill_of_the_running_version_passes",
        "supply::a_bill_of_another_version_fails",
        "supply::a_file_that_is_no_bill_is_unknown",
    ),
    (
        "backup.restore",
        "rls_migrations::drill::a_green_drill_passes_and_runs_out",
        "rls_migrations::drill::a_drill_with_a_difference_fails_by_its_object",
        "rls_migrations::drill::a_file_that_is_no_report_is_unknown",
    ),
];

/// Whether the test is in the file that its path names, marked as a test and not ignored.
fn is_a_test(path: &str) -> bool {
    let (module, name) = path.rsplit_once("::").unwrap();
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(module.replace("::", "/")).with_extension("rs");
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let found = lines.iter().position(|line| line.contains(&format!("fn {name}(")));
    found.and_then(|at| lines.get(at.checked_sub(1)?)).is_some_and(|line| line.trim_end().ends_with("test]"))
}

#[test]
fn every_measured_control_passes_fails_and_is_unknown_in_a_test() {
    let measured: Vec<&str> =
        catalog().filter(|control| control.method != Method::Attest).map(|control| control.id.as_str()).collect();
    assert_eq!(measured, PROOF.map(|(control, ..)| control));
    let tests: BTreeSet<&str> =
        PROOF.iter().flat_map(|(_, passes, fails, unknown)| [*passes, *fails, *unknown]).collect();
    let missing: Vec<&str> = tests.into_iter().filter(|test| !is_a_test(test)).collect();
    assert_eq!(missing, Vec::<&str>::new());
    assert!(!is_a_test("rbac::a_test_that_nobody_wrote"), "the control");
}
