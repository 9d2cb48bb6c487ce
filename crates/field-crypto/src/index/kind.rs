//! How precise an index is, and how far it reaches.

use std::marker::PhantomData;

/// The kind of a blind index: [`Unique`], [`Approx`], or one of them as [`Global`].
pub trait IndexKind: sealed::Kind + 'static {
    /// How many bits of the keyed hash a tag holds.
    const BITS: u8;
    /// Where values are compared: [`PerTenant`], or [`Global`].
    type Scope: 'static;
    #[doc(hidden)]
    const SCOPE: &'static str;
}

/// Tags of 128 bits: different values never share one, so that `UNIQUE (tenant_id, ssn_index)` holds.
///
/// A reader of the database sees which rows hold the same value, and how often each value occurs.
#[derive(Clone, Copy, Debug)]
pub enum Unique {}

/// Tags of `BITS` bits, 1 to 64: different values share tags on purpose, so that a reader of the database sees groups
/// of rows that may or may not hold the same value. [`IndexPlan`](crate::IndexPlan) says how many bits to take.
///
/// What is found under a tag is a candidate: [`Search::filter`](crate::Search::filter) opens the candidates and keeps
/// those that match. More bits than there are do not compile:
///
/// ```compile_fail,E0080
/// # use stockade_field_crypto::{Approx, LowerTrim, columns};
/// columns! {
///     pub Email = "users"."email": String, row = uuid::Uuid,
///         index EmailIndex = "email_index": LowerTrim => Approx<65>;
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Approx<const BITS: u8> {}

/// The scope of an index that finds values of one tenant, under that tenant's index key.
#[derive(Clone, Copy, Debug)]
pub enum PerTenant {}

/// An index over the rows of all tenants under one key of its own ([`Vault::global_index`](crate::Vault::global_index)): to
/// find a person before the tenant is known, as when somebody signs in with an e-mail address.
///
/// A reader of the database sees which tenants have the same person, and a holder of the one key can try values
/// against all tenants. Destroying a tenant's keys does not make its tags in a global index useless: delete them.
#[derive(Clone, Copy, Debug)]
pub struct Global<K = Unique>(PhantomData<fn() -> K>);

impl IndexKind for Unique {
    const BITS: u8 = 128;
    type Scope = PerTenant;
    const SCOPE: &'static str = "tenant";
}

impl<const BITS: u8> IndexKind for Approx<BITS> {
    const BITS: u8 = {
        assert!(1 <= BITS && BITS <= 64, "an approximate index has 1 to 64 bits");
        BITS
    };
    type Scope = PerTenant;
    const SCOPE: &'static str = "tenant";
}

impl<K: IndexKind<Scope = PerTenant>> IndexKind for Global<K> {
    const BITS: u8 = K::BITS;
    type Scope = Global;
    const SCOPE: &'static str = "global";
}

mod sealed {
    pub trait Kind {}
    impl Kind for super::Unique {}
    impl<const BITS: u8> Kind for super::Approx<BITS> {}
    impl<K> Kind for super::Global<K> {}
}
