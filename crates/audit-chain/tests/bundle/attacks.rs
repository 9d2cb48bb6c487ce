//! Somebody changes the file.

use proptest::prelude::*;
use stockade_audit_chain::{BundleVerifier, Conclusion, ErrorKind, Finding, bundle::MAX_LINE};

use crate::support::{Log, body, verify, with_footer};

/// A bundle that a checkpoint vouches for, in full.
async fn good(entries: usize) -> (Log, Vec<u8>) {
    let log = Log::of(entries as u64);
    let bundle = log.bundle(&log.whole(), Some(&log.checkpoint(entries).await));
    assert!(verify(&bundle).unwrap().is_complete());
    (log, bundle)
}

fn is_accepted(bundle: &[u8]) -> bool {
    verify(bundle).is_ok_and(|report| report.is_intact())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn no_byte_of_a_bundle_may_change() {
    let (_, bundle) = run(good(2));
    for at in 0..bundle.len() {
        let mut changed = bundle.clone();
        changed[at] ^= 1_u8 << (at % 8);
        assert!(!is_accepted(&changed), "byte {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // The footer is no obstacle: what holds is the signature, the hashes and the one spelling of a line.
    #[test]
    fn no_bit_of_a_bundle_may_change_even_if_the_footer_is_made_anew(line in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0_u8..7) {
        let (_, bundle) = run(good(2));
        let mut lines = body(&bundle);
        let index = line.index(lines.len());
        let line = &mut lines[index];
        let mut changed = line.clone().into_bytes();
        let at = at.index(changed.len());
        changed[at] ^= 1_u8 << bit;
        if let Ok(changed) = String::from_utf8(changed) && changed != *line && !changed.contains('\n') {
            // When the file was made is a claim that nothing binds: the documentation says so.
            let claim = index == 0 && line.find("exported_at").is_some_and(|start| (start + 14..start + 38).contains(&at));
            *line = changed;
            prop_assert!(claim || !is_accepted(&with_footer(&lines)), "line {index}, byte {at}");
        }
    }

    #[test]
    fn reading_never_panics(text in "\\PC{0,200}", at in any::<prop::sample::Index>(), length in 0_usize..40) {
        let _ = verify(text.as_bytes());
        let (_, mut bundle) = run(good(1));
        let at = at.index(bundle.len());
        let end = (at + length).min(bundle.len());
        bundle.splice(at..end, text.into_bytes());
        let _ = verify(&bundle);
    }
}

#[tokio::test]
async fn a_torn_file_is_refused_wherever_it_ends() {
    let (_, bundle) = good(3).await;
    for end in 0..bundle.len() {
        assert_eq!(verify(&bundle[..end]).unwrap_err().kind(), ErrorKind::Malformed, "{end}");
    }
}

#[tokio::test]
async fn lines_cannot_be_left_out_moved_or_repeated() {
    let (_, bundle) = good(5).await;
    let lines = body(&bundle);
    for from in 1..lines.len() {
        let mut without = lines.clone();
        let line = without.remove(from);
        assert!(!is_accepted(&with_footer(&without)), "{from} left out");
        for to in (0..=without.len()).filter(|to| *to != from) {
            let mut moved = without.clone();
            moved.insert(to, line.clone());
            assert!(!is_accepted(&with_footer(&moved)), "{from} moved to {to}");
            let mut repeated = lines.clone();
            repeated.insert(to, line.clone());
            assert!(!is_accepted(&with_footer(&repeated)), "{from} repeated at {to}");
        }
    }
}

#[tokio::test]
async fn the_end_cannot_be_cut_off() {
    let (log, bundle) = good(5).await;
    // The forger says that the log ended earlier, and has everything right but the checkpoint.
    let short = log.bundle(&log.range(0, 4), None);
    let mut lines = body(&short);
    lines.insert(1, body(&bundle)[1].clone());
    let report = verify(&with_footer(&lines)).unwrap();
    assert_eq!((report.conclusion(), report.vouched_through()), (Conclusion::Unverifiable, None));
    // With a proof that is none, it is a lie.
    let checkpoint = log.checkpoint(5).await.extended_by(log.extension(3, 5));
    let report = verify(&log.bundle(&log.range(0, 4), Some(&checkpoint))).unwrap();
    assert_eq!(report.report().verdicts()[0].finding, Finding::NotIncluded);
}

#[tokio::test]
async fn a_history_written_anew_contradicts_the_checkpoint_and_a_kept_head() {
    let (log, bundle) = good(4).await;
    let forged = Log::of(4);
    let mut lines = body(&forged.bundle(&forged.whole(), None));
    lines.insert(1, body(&bundle)[1].clone());
    assert_eq!(verify(&with_footer(&lines)).unwrap().conclusion(), Conclusion::Tampered);
    let forged = forged.bundle(&forged.whole(), None);
    let report = BundleVerifier::new().kept_head(log.head).verify(forged.as_slice()).unwrap();
    assert_eq!(report.report().verdicts()[0].finding, Finding::HistoryReplaced);
}

#[tokio::test]
async fn a_range_cannot_lie_about_where_it_begins() {
    let log = Log::of(6);
    let checkpoint = log.checkpoint(6).await.extended_by(log.extension(5, 6));
    let mut lines = body(&log.bundle(&log.range(2, 5), Some(&checkpoint)));
    assert!(verify(&with_footer(&lines)).unwrap().is_complete());
    lines.remove(2);
    let (first, second) = (log.head_at(2).hash.to_string(), log.head_at(3).hash.to_string());
    lines[0] = lines[0].replace(&first, &second).replace("\"seq\":2", "\"seq\":3");
    let report = verify(&with_footer(&lines));
    assert!(!report.is_ok_and(|report| report.is_intact()), "entry 3 was hidden");
}

#[tokio::test]
async fn a_line_has_one_spelling() {
    let (_, bundle) = good(1).await;
    let lines = body(&bundle);
    let spellings = [
        ("{\"", "{ \""),
        ("\"type\":\"entry\"", "\"type\":\"entry\",\"type\":\"entry\""),
        ("\"type\":\"entry\"", "\"type\":\"entry\",\"unknown\":1"),
        ("\"type\":\"entry\"", "\"type\":\"remark\""),
        ("load.update", "load\\u002eupdate"),
        ("Ana Ruiz", "Bob Ruiz"),
        ("\"severity\":\"info\"", "\"severity\":\"critical\""),
        ("\"seq\":1}", "\"seq\":1.0}"),
        ("\"seq\":1", "\"seq\":-1"),
        ("\"open\":[", "\"open\":[null,"),
    ];
    for (from, to) in spellings {
        let mut changed = lines.clone();
        let line = changed.iter().position(|line| line.contains(from) && line.contains("\"type\":\"entry\"")).unwrap();
        changed[line] = changed[line].replacen(from, to, 1);
        assert_eq!(verify(&with_footer(&changed)).unwrap_err().kind(), ErrorKind::Malformed, "{to}");
    }
    for trailing in ["\n", " ", "{}\n"] {
        let changed = [&bundle[..], trailing.as_bytes()].concat();
        assert_eq!(verify(&changed).unwrap_err().kind(), ErrorKind::Malformed, "{trailing:?}");
    }
    let newer = String::from_utf8(bundle).unwrap().replacen("\"bundle\":1", "\"bundle\":2", 1);
    assert_eq!(verify(newer.as_bytes()).unwrap_err().kind(), ErrorKind::UnknownFormat);
}

#[test]
fn a_line_without_end_costs_no_more_memory_than_the_limit() {
    struct Endless(u64);
    impl std::io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(b'{');
            self.0 += buffer.len() as u64;
            Ok(buffer.len())
        }
    }
    let mut endless = Endless(0);
    let input = std::io::BufReader::new(&mut endless);
    assert_eq!(BundleVerifier::new().verify(input).unwrap_err().kind(), ErrorKind::Malformed);
    assert!(endless.0 < 2 * MAX_LINE as u64);
}
