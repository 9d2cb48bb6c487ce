//! A policy does not widen unless somebody approves it: the approved text is in `tests/data/`, and to approve is to copy it there.

use stockade_rbac::{Permission, Policy};

use super::{brokerage, erp, field_service, trucking};

/// What a pull request would have to get approved.
fn unapproved<P: Permission>(approved: &str, proposed: &str) -> String {
    let [approved, proposed] = [approved, proposed].map(|text| Policy::<P>::compile(text).unwrap());
    let widening = approved.diff(&proposed).widening();
    if widening.is_empty() { String::new() } else { widening.to_markdown() }
}

#[test]
fn no_preset_widens_without_approval() {
    macro_rules! unapproved_of {
        ($preset:ident, $file:literal) => {
            unapproved::<$preset::Perm>(
                include_str!(concat!("../../data/", $file, ".approved.toml")),
                include_str!(concat!("../../../presets/", $file, ".toml")),
            )
        };
    }
    let widened = [
        unapproved_of!(trucking, "trucking"),
        unapproved_of!(erp, "erp"),
        unapproved_of!(field_service, "field-service"),
        unapproved_of!(brokerage, "brokerage"),
    ];
    assert_eq!(widened.concat(), "");
}

#[test]
fn a_widening_that_nobody_approved_is_shown() {
    let approved = include_str!("../../data/trucking.approved.toml");
    let widened = approved.replacen("grants.office = [\"record.edit\"", "grants.tenant = [\"record.edit\"", 1);
    let widened = widened.replacen(
        "grants.tenant = [\"record.export\"]\n\n[[role]]\nname = \"driver\"",
        "\n[[role]]\nname = \"driver\"",
        1,
    );
    assert_ne!(widened, approved);
    let shown = unapproved::<trucking::Perm>(approved, &widened);
    assert!(shown.contains("| safety-manager: record.approve | office | tenant | **widening** |"), "{shown}");
    assert!(!shown.contains("record.export"), "which it lost");
}
