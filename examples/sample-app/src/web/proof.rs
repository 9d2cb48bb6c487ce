//! One entry and why it cannot have been changed since.

use axum::extract::{Path, State};
use maud::{Markup, html};
use stockade::audit_chain::{
    Digest, HeadProof, InclusionProof, Publication, TenantId, VerifierKey,
    postgres::{prove_inclusion, tree},
};

use super::{
    SignedIn, WebApp,
    audit::open,
    layout::{Place, page},
    problem::Problem,
};
use crate::permissions::Perm;

/// An entry's link, as the application's role reads it.
#[derive(sqlx::FromRow)]
struct Linked {
    action: String,
    recorded_at: chrono::DateTime<chrono::Utc>,
    leaf: Vec<u8>,
    prev: Vec<u8>,
    hash: Vec<u8>,
    size: i64,
}

const LINK: &str = "
SELECT e.action, e.recorded_at, l.leaf, l.prev, l.hash, (SELECT h.seq FROM stockade.audit_head h WHERE h.tenant_id = l.tenant_id) AS size
FROM stockade.audit_link l JOIN stockade.audit_entry e ON e.entry_id = l.entry_id
WHERE l.seq = $1";

/// `GET /audit/entries/{seq}`
pub(crate) async fn show(State(app): WebApp, visitor: SignedIn, Path(seq): Path<i64>) -> Result<Markup, Problem> {
    // Before the desk: a pool of one connection cannot give a second one while the desk holds its own.
    let checkpoint = app.last_checkpoint().await?;
    let mut desk = open(&app, visitor, Perm::AuditView).await?;
    let linked: Option<Linked> = sqlx::query_as(LINK).bind(seq).fetch_optional(&mut desk.tx).await?;
    let Some(linked) = linked else {
        desk.commit(&app).await?;
        return Err(Problem::NotFound);
    };
    let tenant = TenantId::from(desk.user.tenant_id);
    let seq = seq.unsigned_abs();
    let signed = checkpoint.as_ref().and_then(|checkpoint| Signed::of(checkpoint, app.watch.key(), tenant, seq));
    let (size, root) = match &signed {
        Some(signed) => (signed.proof.head().head.seq, signed.proof.head().root),
        None => {
            let size = linked.size.unsigned_abs();
            (size, tree(&mut desk.tx, tenant, size).await?.root())
        }
    };
    let proof = prove_inclusion(&mut desk.tx, tenant, seq, size).await?;
    let user = desk.user.clone();
    desk.commit(&app).await?;
    let leaf = Digest::try_from(linked.leaf.as_slice())?;
    let holds = proof.verify(&leaf, &root);
    let content = html! {
        div.note.good[holds].bad[!holds] role="status" {
            p {
                @if holds {
                    "The entry is in the tree of all " (size) " entries: its hash and these " (proof.path().len()) " others give the root. "
                    @match &signed {
                        Some(signed) => { "Checkpoint " (signed.checkpoint.size()) " signs that root." },
                        None => "No checkpoint signs that root yet; the next one will.",
                    }
                } @else { "The entry is not in the tree. Verify the chain." }
            }
        }
        div.card.flush {
            h2 { "Entry" }
            div.scroll { table.stack {
                tbody {
                    (row("Action", &linked.action))
                    (row("Recorded", &linked.recorded_at.format("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()))
                    (row("Hash of the entry", &leaf.to_string()))
                    (row("Link before", &hex::encode(&linked.prev)))
                    (row("Link", &hex::encode(&linked.hash)))
                    (row("Root of the tree", &root.to_string()))
                }
            } }
        }
        div.card {
            h2 { "Proof" }
            p { "RFC 9162: the hashes beside the way from the entry to the root, the lowest first." }
            (path(&proof))
            @if let Some(signed) = &signed { (signed.render()) }
            div.actions {
                a.button.quiet href={ "/audit/entries/" (seq) "/bundle" } { "Download as a bundle" }
                a.button.quiet href="/audit" { "Back to the log" }
            }
        }
    };
    let lead =
        "What an auditor gets: the entry's hash, its place, and what ties both to a signature outside the database.";
    Ok(page(&user, Place::Audit, &format!("Proof of entry {seq}"), lead, &content))
}

/// A checkpoint that the key signed and that commits to the entry.
struct Signed<'a> {
    checkpoint: &'a Publication,
    proof: HeadProof,
}

impl<'a> Signed<'a> {
    fn of(checkpoint: &'a Publication, key: &VerifierKey, tenant: TenantId, seq: u64) -> Option<Self> {
        let signed = checkpoint.open(key)?;
        let proof = checkpoint.prove_head(tenant).ok()??;
        proof.verify(&signed)?;
        (proof.head().head.seq >= seq).then_some(Self { checkpoint, proof })
    }

    fn render(&self) -> Markup {
        html! {
            p { "The root among those of all tenants:" }
            (path(self.proof.among()))
            p { "Their root " code { (self.proof.tenants_root()) } " among all that was ever signed:" }
            (path(self.proof.within()))
            p { "The signed checkpoint (C2SP tlog-checkpoint). The key to check it with is on the administration page." }
            pre { (self.checkpoint.note()) }
        }
    }
}

fn path(proof: &InclusionProof) -> Markup {
    html! {
        @if proof.path().is_empty() { p.muted { "Nothing beside it." } }
        ol.hashes { @for hash in proof.path() { li.mono { (hash) } } }
    }
}

fn row(name: &str, value: &str) -> Markup {
    html! { tr { th scope="row" { (name) } td.mono.long { (value) } } }
}
