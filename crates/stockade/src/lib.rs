#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "audit-chain")]
#[doc(inline)]
pub use stockade_audit_chain as audit_chain;
#[cfg(feature = "field-crypto")]
#[doc(inline)]
pub use stockade_field_crypto as field_crypto;
#[cfg(feature = "posture")]
#[doc(inline)]
pub use stockade_posture as posture;
#[cfg(feature = "ratelimit")]
#[doc(inline)]
pub use stockade_ratelimit as ratelimit;
#[cfg(feature = "rbac")]
#[doc(inline)]
pub use stockade_rbac as rbac;
#[cfg(feature = "rls-migrations")]
#[doc(inline)]
pub use stockade_rls_migrations as rls_migrations;
#[cfg(feature = "session")]
#[doc(inline)]
pub use stockade_session as session;
#[cfg(feature = "tenant-guard")]
#[doc(inline)]
pub use stockade_tenant_guard as tenant_guard;

#[cfg(feature = "audit-chain")]
pub mod bridge;
