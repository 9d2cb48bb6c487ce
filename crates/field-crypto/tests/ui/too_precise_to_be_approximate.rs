//! An approximate index leaves several values for each tag: 65 bits do not.
use stockade_field_crypto::{Approx, LowerTrim, columns};

columns! {
    pub Email = "users"."email": String, row = uuid::Uuid,
        index EmailIndex = "email_index": LowerTrim => Approx<65>;
}

fn main() {}
