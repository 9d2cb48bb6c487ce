use super::{HEADER, Writer};
use crate::{Envelope, ErrorKind, format::MAX_ENVELOPE};

fn written(tags: &[u16]) -> Result<Envelope, ErrorKind> {
    let mut writer = Writer::new();
    tags.iter().for_each(|tag| writer.put(*tag, b"value"));
    writer.finish().map_err(|error| error.kind())
}

#[test]
fn tags_ascend_or_there_is_no_envelope() {
    for tags in [&[][..], &[1], &[1, 2], &[7, 0x50, u16::MAX]] {
        let envelope = written(tags).unwrap();
        assert_eq!(envelope.fields().map(|(tag, _)| tag).collect::<Vec<_>>(), tags);
        assert!(Envelope::decode(envelope.encode()).unwrap() == envelope);
    }
    for tags in [&[2, 1][..], &[1, 1], &[1, 3, 2, 4], &[0]] {
        assert_eq!(written(tags).unwrap_err(), ErrorKind::Malformed, "{tags:?}");
    }
}

/// What is written is what can be read, to the byte.
#[test]
fn an_envelope_is_a_mebibyte_long_at_most() {
    let of = |length: usize| {
        let mut writer = Writer::new();
        writer.put(1, &vec![b'x'; length - HEADER - 6]);
        writer.finish()
    };
    let longest = of(MAX_ENVELOPE).unwrap();
    assert_eq!(longest.encode().len(), MAX_ENVELOPE);
    assert!(Envelope::decode(longest.encode()).unwrap() == longest);
    for over in [1, 2, 1000] {
        assert_eq!(of(MAX_ENVELOPE + over).unwrap_err().kind(), ErrorKind::InvalidEntry, "{over}");
    }
}
