use proptest::prelude::*;
use serde_json::{Value, json};
use stockade_posture::{ErrorKind, StatusKind, catalog, history::Snapshot, render};

use crate::evidence::{Evidence, evidence, filled_with};

proptest! {
    #[test]
    fn it_reads_what_it_writes(evidence in evidence()) {
        let assessment = evidence.assess();
        let snapshot = assessment.snapshot();
        prop_assert_eq!(snapshot.to_string().parse::<Snapshot>().unwrap(), snapshot.clone());
        prop_assert_eq!(snapshot.digest(), assessment.digest());
        prop_assert_eq!(snapshot.score(), assessment.score());
        for result in assessment.results() {
            prop_assert_eq!(snapshot.status(result.control().id), Some(result.status().kind()));
        }
        prop_assert!(snapshot.to_string().len() < 2_048);
    }

    /// Nothing that is fed to the reader stops it.
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,400}", cut in 0_usize..1_200) {
        prop_assert!(text.parse::<Snapshot>().is_err());
        let whole = Evidence::complete().assess().snapshot().to_string();
        if let Some(part) = whole.get(..cut.min(whole.len() - 1)) {
            prop_assert!(part.parse::<Snapshot>().is_err());
        }
    }
}

fn altered(change: impl FnOnce(&mut Value)) -> Result<Snapshot, ErrorKind> {
    let mut json = serde_json::from_str(&Evidence::complete().assess().snapshot().to_string()).unwrap();
    change(&mut json);
    json.to_string().parse().map_err(|error: stockade_posture::Error| error.kind())
}

#[test]
fn what_does_not_say_all_that_it_must_is_refused() {
    assert!(altered(|_| ()).is_ok());
    for key in ["at", "catalog_version", "controls", "digest", "schema", "score"] {
        let missing = altered(|json| drop(json.as_object_mut().unwrap().remove(key)));
        assert_eq!(missing, Err(ErrorKind::Malformed), "{key}");
        assert_eq!(altered(|json| json[key] = json!(-1)), Err(ErrorKind::Malformed), "{key}");
    }
    for (pointer, value) in [
        ("/digest", json!("ab")),
        ("/digest", json!("A".repeat(64))),
        ("/digest", json!("g".repeat(64))),
        ("/schema", json!("stockade.posture.snapshot/2")),
        ("/at", json!("yesterday")),
        ("/at", json!("0000-01-01T00:00:00+14:00")),
        ("/score/points", json!(101)),
        ("/score/points", json!(79.5)),
        ("/score/capped_by", json!("rls.fenced")),
        ("/controls/rls.forced", json!("in place")),
        ("/controls/rls.forced", Value::Null),
        ("/catalog_version", json!(u64::MAX)),
    ] {
        assert_eq!(altered(|json| *json.pointer_mut(pointer).unwrap() = value), Err(ErrorKind::Malformed), "{pointer}");
    }
    let without = altered(|json| drop(json["controls"].as_object_mut().unwrap().remove("rls.forced")));
    assert_eq!(without, Err(ErrorKind::Malformed), "a control of its own catalogue is missing");
    assert_eq!(altered(|json| json["controls"]["rls.fenced"] = json!("in_place")), Err(ErrorKind::Malformed));
}

/// What another version of the catalogue had is left out, and what it had not is not known.
#[test]
fn another_catalogue_is_read_as_far_as_it_is_known() {
    let read = altered(|json| {
        json["catalog_version"] = json!(999);
        json["controls"]["rls.fenced"] = json!("in_place");
        json["controls"].as_object_mut().unwrap().remove("rls.forced");
    })
    .unwrap();
    let known: Vec<_> =
        catalog().filter(|control| read.status(control.id).is_none()).map(|control| control.id).collect();
    assert_eq!(known, [stockade_posture::ControlId::RLS_FORCED]);
    assert!(catalog().all(|control| read.status(control.id).is_none_or(|kind| kind == StatusKind::InPlace)));
}

#[test]
fn a_long_text_is_refused_before_it_is_read() {
    let long = format!("{}{}", " ".repeat(20_000), Evidence::complete().assess().snapshot());
    assert_eq!(long.parse::<Snapshot>().unwrap_err().kind(), ErrorKind::Malformed);
}

/// It is the digest of the very bytes that the export has.
#[test]
fn the_digest_is_that_of_the_export() {
    use sha2::{Digest, Sha256};
    let assessment = filled_with("x");
    let digest = hex::encode(Sha256::digest(render::json(&assessment)));
    assert_eq!(assessment.snapshot().digest().to_string(), digest);
}
