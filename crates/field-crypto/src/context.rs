//! The encoding of everything that a key or a tag is bound to.

/// A list of parts as bytes: each part is preceded by its length as a big-endian `u64`, so that no two lists share an
/// encoding. The first parts are this library's name and a label that separates the uses of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Context(Vec<u8>);

const DOMAIN: &str = "stockade-field-crypto";

impl Context {
    pub(crate) fn new(label: &str) -> Self {
        Self(Vec::with_capacity(128)).part(DOMAIN).part(label)
    }

    pub(crate) fn part(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.extend_from_slice(&(part.len() as u64).to_be_bytes());
        self.0.extend_from_slice(part);
        self
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::Context;

    fn encode(parts: &[Vec<u8>]) -> Vec<u8> {
        let context = parts.iter().fold(Context::new("test"), Context::part);
        context.into_bytes()
    }

    /// Parts over a small alphabet, length bytes included, so that ambiguous pairs would be found.
    fn parts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let byte = prop_oneof![0_u8..4, Just(8), Just(b'.'), Just(b'|')];
        vec(vec(byte, 0..12), 0..5)
    }

    /// `parts` cut at other places: the same bytes, another list.
    fn recut(parts: &[Vec<u8>], at: usize) -> Vec<Vec<u8>> {
        let joined = parts.concat();
        let (head, tail) = joined.split_at(at % (joined.len() + 1));
        vec![head.to_vec(), tail.to_vec()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn contexts_encode_injectively(a in parts(), b in parts(), at in any::<usize>()) {
            prop_assert_eq!(a == b, encode(&a) == encode(&b));
            let c = recut(&a, at);
            prop_assert_eq!(a == c, encode(&a) == encode(&c));
        }
    }

    #[test]
    fn labels_separate() {
        assert_ne!(Context::new("kcv"), Context::new("wrap"));
        assert_ne!(Context::new("kcv").part(""), Context::new("kcv"));
    }
}
