//! Where the log stands with its checkpoints.

use maud::{Markup, html};
use stockade::audit_chain::{
    TenantId,
    postgres::{Checkpointing, Refusal, RefusalReason},
};

use crate::{
    app::App,
    desk::{Desk, Reads},
    domain::checkpoints::{self, Last},
    permissions::Perm,
    watch::Found,
};

/// The last checkpoint, and what the last attempt to make one found.
pub(super) struct Standing {
    tenant: TenantId,
    last: Option<Last>,
    found: Option<Found>,
    anchors: &'static str,
}

impl Standing {
    pub(super) async fn read<W: Reads<Perm>>(app: &App, desk: &mut Desk<W>) -> anyhow::Result<Self> {
        Ok(Self {
            tenant: desk.user.tenant_id.into(),
            last: checkpoints::last(desk.tx()).await?,
            found: app.watch.checkpointed().map(|last| last.found),
            anchors: app.watch.anchors().words(),
        })
    }

    /// For the top of the page, if something is wrong.
    pub(super) fn alarm(&self) -> Markup {
        html! {
            @match &self.found {
                Some(Found::Answered(Checkpointing::Refused(refusals))) => div.note.bad role="alert" {
                    p { strong { "The log contradicts its last checkpoint. " } "Nothing is signed until somebody has looked." }
                    ul { @for refusal in refusals { li { (self.words(refusal)) } } }
                },
                Some(Found::Failed) => div.note.warn role="status" { p { "The last checkpoint could not be made or anchored. It is tried again." } },
                _ => {},
            }
        }
    }

    /// For the foot of the log, beside how far sealing is behind.
    pub(super) fn sentence(&self) -> Markup {
        let Some(last) = &self.last else { return html! { "No checkpoint has been signed yet." } };
        let root = last.root.to_string();
        html! {
            "Checkpoint " (last.size) " of " (last.stored_at.format("%Y-%m-%d %H:%M:%S UTC"))
            " signs the entries up to " (last.through) ", "
            @match last.since { 0 => "which are all", 1 => "one is newer", since => { (since) " are newer" } }
            "; root " code title=(root) { (root.get(..16).unwrap_or(&root)) } "; kept outside the database, in " (self.anchors)
            @match last.anchored_at {
                Some(at) => { ", acknowledged " (at.format("%H:%M:%S")) "." },
                None => { ", not acknowledged yet." },
            }
        }
    }

    /// The chain of another tenant is named by nothing.
    fn words(&self, refusal: &Refusal) -> String {
        let whose = match refusal.tenant {
            Some(tenant) if tenant == self.tenant => "Your chain",
            Some(_) => "The chain of another tenant",
            None => "The anchor",
        };
        let what = match refusal.reason {
            RefusalReason::TenantGone { kept } => format!("is gone; {kept} entries were signed"),
            RefusalReason::BegunAnew { kept } => format!("was begun anew; {kept} entries were signed"),
            RefusalReason::Truncated { seq, kept } => format!("ends at {seq}; {kept} entries were signed"),
            RefusalReason::Replaced { kept } => format!("has another link at the signed entry {kept}"),
            RefusalReason::TreeAltered { kept } => format!("has other leaves up to the signed entry {kept}"),
            RefusalReason::Broken { seq } => format!("is broken at entry {seq}"),
            RefusalReason::AnchorInvalid => "holds a checkpoint that this key did not sign".to_owned(),
            RefusalReason::AnchorBehind { stored } => format!("holds less than the database's checkpoint {stored}"),
            RefusalReason::Forked { size } => format!("and the database hold different checkpoints {size}"),
            _ => "contradicts what was signed".to_owned(),
        };
        format!("{whose} {what}.")
    }
}
