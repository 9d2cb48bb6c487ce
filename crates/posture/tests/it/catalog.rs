//! The catalogue.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use stockade_posture::{CATALOG_VERSION, Capability, ControlId, CriterionRef, Fix, Method, catalog};

#[test]
fn names_are_unique_and_can_be_parsed() {
    let ids: BTreeSet<ControlId> = catalog().map(|control| control.id).collect();
    assert_eq!(ids.len(), catalog().count());
    assert_eq!(ids.len(), 29);
    for id in ids {
        assert_eq!(id.as_str().parse::<ControlId>().unwrap(), id);
        assert_eq!(id.control().unwrap().id, id);
    }
}

/// The weights and criteria of the specification, control by control.
#[test]
fn weights_and_criteria_are_as_specified() {
    let expected = [
        "rls.enabled 5 CC6.1 CC6.3 C1.1",
        "rls.forced 5 CC6.1 CC6.3 C1.1",
        "rls.policies 4 CC6.1",
        "rls.role 5 CC6.1 CC6.3",
        "rls.probe 5 CC6.1 C1.1",
        "audit.verifies 5 CC7.2 CC7.3 PI1.5",
        "audit.append_only 5 CC7.2 PI1.5",
        "audit.anchored 3 CC4.1",
        "audit.coverage 3 CC7.2",
        "period.closed 3 PI1.4",
        "crypto.fields 5 CC6.1 C1.1",
        "crypto.rotation 3 CC6.1",
        "crypto.disposal 2 CC6.5 C1.2",
        "rbac.least 4 CC6.3",
        "rbac.review 3 CC6.2",
        "session.policy 4 CC6.1 CC6.6",
        "mfa.privileged 5 CC6.1 CC6.6",
        "mfa.all 2 CC6.1 CC6.6",
        "password.hash 4 CC6.1",
        "ratelimit.auth 3 CC6.6",
        "transport.tls 3 CC6.7",
        "migrations.ledger 3 CC8.1",
        "supply.deny 2 CC6.8 CC7.1",
        "supply.sbom 2 CC6.8 CC7.1",
        "backup.restore 2 A1.2 A1.3",
        "attest.incident 1 CC7.3 CC7.4",
        "attest.pentest 1 CC4.1 CC7.1",
        "attest.residency 1 C1.1",
        "attest.subprocessors 1 CC9.2",
    ];
    let actual: Vec<String> = catalog()
        .map(|control| {
            let criteria: Vec<&str> = control.criteria.iter().map(|criterion| criterion.id()).collect();
            format!("{} {} {}", control.id, control.weight.value(), criteria.join(" "))
        })
        .collect();
    assert_eq!(actual, expected);
}

/// The matrix has a row for every criterion that is referred to, and no other.
#[test]
fn the_rows_of_the_matrix_are_the_criteria_in_use() {
    let used: BTreeSet<&str> = catalog().flat_map(|control| control.criteria).map(|criterion| criterion.id()).collect();
    let rows: BTreeSet<&str> = CriterionRef::ALL.iter().map(|criterion| criterion.id()).collect();
    assert_eq!(used, rows);
    assert_eq!(rows.len(), CriterionRef::ALL.len());
}

#[test]
fn every_control_stands_under_its_capability() {
    for capability in Capability::ALL {
        assert!(!capability.controls().is_empty());
        for control in capability.controls() {
            assert_eq!(control.capability, capability);
            assert_eq!(control.method == Method::Attest, control.id.as_str().starts_with("attest."));
            assert!(matches!(control.fix, Fix::Sql(sql) if sql.ends_with(';')) || !matches!(control.fix, Fix::Sql(_)));
        }
    }
}

/// What can change a status or a score is pinned. If this fails, raise `CATALOG_VERSION` and pin the new digest beside it.
#[test]
fn a_changed_catalogue_has_a_new_version() {
    let mut hash = Sha256::new();
    for control in catalog() {
        let (weight, age) = (control.weight.value(), control.max_age.as_secs());
        hash.update(format!("{} {weight} {age} {}\n", control.id, control.method.word()));
    }
    let digest = hex::encode(hash.finalize());
    assert_eq!(
        (CATALOG_VERSION, digest.as_str()),
        (1, "bd8396b108538648137cf9d001e714f99273dfa34677600dba521f7357481b1c")
    );
}
