#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod actor;
mod clock;
mod decision;
mod error;
mod ident;
mod mode;
mod overrides;
mod permission;
mod policy;
mod problem;
mod reason;
mod resource;
mod scope;
mod scopes;
mod share;
mod subject;
mod version;
mod vocabulary;

mod denied;
mod guard;
mod impersonation;
mod permit;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub mod postgres;
mod record;
mod report;
mod visibility;

pub use self::actor::{Actor, ActorBuilder, Ceiling, Delegation};
pub use self::clock::{Clock, ManualClock, SystemClock};
pub use self::decision::{Decision, Refusal, Verdict, Via};
pub use self::denied::Denied;
pub use self::error::{Error, ErrorKind};
pub use self::guard::{Change, GrantGuard, GrantRefusal, Target};
pub use self::ident::{OfficeId, TeamId, TenantId, UserId};
pub use self::impersonation::Timebox;
pub use self::mode::{Direct, Impersonating, Mode, Permits};
pub use self::overrides::Override;
pub use self::permission::{Kind, Permission, PermissionInfo, Read, Tag, Write};
pub use self::permit::{Grant, Permit};
pub use self::policy::{Policy, Role, Separation, SeparationRule};
pub use self::problem::Problem;
pub use self::reason::Reason;
pub use self::record::{AccessRecord, AuditSink, Unrecorded};
pub use self::report::{AccessReview, AccessStatistics, Finding, GrantRow, Granted, Partial};
pub use self::report::{Diff, Difference, Digest, Direction, Holder, KeptApart, Matrix, MatrixRow, Presence};
pub use self::resource::Resource;
pub use self::scope::Scope;
pub use self::scopes::Scopes;
pub use self::share::ShareLevel;
pub use self::subject::Subject;
pub use self::version::{PolicyVersion, SubjectVersion};
pub use self::visibility::{RowFilter, RowPolicies, RowPolicy, Rows};
#[doc(hidden)]
pub use self::vocabulary::__macro;
