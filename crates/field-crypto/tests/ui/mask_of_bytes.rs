//! Bytes have no mask: their text would have to be guessed.
use stockade_field_crypto::{Masked, Secret};

fn mask(seed: &Secret<Vec<u8>>) -> Masked {
    seed.masked()
}

fn main() {}
