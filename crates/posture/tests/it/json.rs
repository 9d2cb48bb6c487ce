//! Canonical JSON and its digest.

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use stockade_posture::render;

use crate::evidence::{evidence, filled_with, hostile};

proptest! {
    #[test]
    fn the_digest_is_that_of_the_bytes(evidence in evidence()) {
        let assessment = evidence.assess();
        let digest = hex::encode(Sha256::digest(render::json(&assessment)));
        prop_assert_eq!(assessment.digest().to_string(), digest);
    }

    /// Parsing and writing again with sorted keys gives the same bytes: there is only one form.
    #[test]
    fn json_is_canonical(text in hostile()) {
        let json = render::json(&filled_with(&text));
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(serde_json::to_string(&parsed).unwrap(), json);
    }

    #[test]
    fn any_change_of_evidence_changes_the_digest(text in "[a-z]{1,8}") {
        prop_assert_ne!(filled_with(&text).digest(), filled_with(&format!("{text}.")).digest());
    }
}

#[test]
fn the_document_has_its_parts() {
    let json: serde_json::Value = serde_json::from_str(&render::json(&filled_with("x"))).unwrap();
    assert_eq!(json["schema"], "stockade.posture/1");
    assert_eq!(json["catalog_version"], 1);
    assert_eq!(json["at"], "2026-03-04T09:00:00.000000Z");
    assert_eq!(json["controls"].as_array().unwrap().len(), 29);
    assert_eq!(json["controls"][0]["criteria"][0], "soc2:CC6.1");
    assert_eq!(json["controls"][0]["observations"][0]["facts"]["count"], 3);
    assert_eq!(json["controls"][0]["observations"][0]["outcome"], "pass");
    assert_eq!(json["coverage"]["applicable"], 28);
    assert_eq!(json["score"]["capped_by"], serde_json::Value::Null);
}

/// The digest of an observation is over its own object without the digest.
#[test]
fn an_observation_can_be_checked_by_itself() {
    let assessment = filled_with("x");
    let mut json: serde_json::Value = serde_json::from_str(&render::json(&assessment)).unwrap();
    let seen = json["controls"][1]["observations"][0].as_object_mut().unwrap();
    let digest = seen.remove("digest").unwrap();
    // Sorted here, because a build in which any crate turns serde_json's `preserve_order` on does not.
    let sorted: std::collections::BTreeMap<_, _> = seen.iter().collect();
    let bytes = serde_json::to_string(&sorted).unwrap();
    assert_eq!(digest, hex::encode(Sha256::digest(bytes)));
    assert_eq!(digest, assessment.results()[1].observations()[0].digest().to_string());
}
