use std::{fs, sync::atomic::AtomicU32};

use super::*;
use crate::{LocalSigner, Snapshot};

async fn publications() -> [Publication; 3] {
    let signer = LocalSigner::from_seed("example.com/audit", &[7; 32]).unwrap();
    let next = async |last: Option<&Publication>| Publication::sign(last, Snapshot::default(), &signer).await.unwrap();
    let first = next(None).await;
    let second = next(Some(&first)).await;
    let third = next(Some(&second)).await;
    [first, second, third]
}

fn file() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("stockade-anchor-{}-{number}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

#[tokio::test]
async fn a_file_keeps_every_publication_once_and_none_twice() {
    let [first, second, third] = publications().await;
    let path = file();
    let anchor = FileAnchor::new(&path);
    assert_eq!(anchor.fetch_latest().await.unwrap(), None);
    for publication in [&first, &first, &second, &second] {
        anchor.publish(publication).await.unwrap();
        assert_eq!(anchor.fetch_latest().await.unwrap().as_ref(), Some(publication));
    }
    assert!(anchor.publish(&first).await.is_err(), "an old one is not published again");
    let stranger = LocalSigner::from_seed("example.com/audit", &[8; 32]).unwrap();
    let fork = Publication::sign(Some(&first), Snapshot::default(), &stranger).await.unwrap();
    assert!(anchor.publish(&fork).await.is_err(), "another one of the same size");
    anchor.publish(&third).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_line_torn_at_any_byte_is_passed_over() {
    let [first, second, third] = publications().await;
    let path = file();
    let anchor = FileAnchor::new(&path);
    anchor.publish(&first).await.unwrap();
    let kept = fs::read(&path).unwrap();
    for length in (0..second.to_string().len()).step_by(7) {
        fs::write(&path, [&kept, &second.to_string().as_bytes()[..length]].concat()).unwrap();
        assert_eq!(anchor.fetch_latest().await.unwrap().as_ref(), Some(&first), "{length}");
        anchor.publish(&third).await.unwrap();
        assert_eq!(anchor.fetch_latest().await.unwrap().as_ref(), Some(&third), "{length}");
    }
    fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_not_an_empty_one() {
    let [first, ..] = publications().await;
    // A directory can be opened but not read.
    let anchor = FileAnchor::new(std::env::temp_dir());
    assert!(anchor.fetch_latest().await.is_err());
    assert!(anchor.publish(&first).await.is_err());
}

/// Counts what is read.
struct Reading<'a>(io::Cursor<&'a [u8]>, &'a mut u64);

impl Read for Reading<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(into)?;
        *self.1 += read as u64;
        Ok(read)
    }
}

impl Seek for Reading<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[tokio::test]
async fn of_a_long_file_the_end_is_read() {
    let [first, second, _] = publications().await;
    let old = format!("{first}\n").repeat(20_000);
    let length = old.len() as u64;
    let torn: String = second.to_string().chars().take(100).collect();
    for (end, kept, most) in [
        (format!("{second}\n"), &second, END),
        (format!("{second}\n{torn}"), &second, END),
        (format!("{second}\n{}\n", "x".repeat(200_000)), &second, 30 * END),
        ("x\n".repeat(100_000), &first, 30 * END),
    ] {
        let mut read = 0;
        let text = format!("{old}{end}");
        assert_eq!(last(Reading(io::Cursor::new(text.as_bytes()), &mut read)).unwrap().as_ref(), Some(kept));
        assert!(read <= most && most < length, "{read} of {length}");
    }
}
