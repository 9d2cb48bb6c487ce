//! The ledger: postings, the form for a new one, and periods that can be closed.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{NaiveDate, Utc};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use stockade::rbac::Resource;
use uuid::Uuid;

use super::{
    Form, SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    desk::{Desk, Look, Reads},
    domain::{
        ledger::{self, ACCOUNTS, Closing, NewPosting, NotPosted, Period, Posting},
        money::Cents,
    },
    permissions::Perm,
};

/// `GET /ledger`
pub(crate) async fn show(mut look: Look) -> Result<Markup, Problem> {
    let page = render(&mut look, &Draft::default()).await?;
    look.close().await?;
    Ok(page)
}

/// What the form sends, and what is wrong with it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Draft {
    posted_on: String,
    account: String,
    memo: String,
    amount: String,
    #[serde(default)]
    adjustment: String,
    #[serde(skip)]
    errors: Vec<(&'static str, String)>,
}

/// `POST /ledger/postings`
pub(crate) async fn post(
    State(app): WebApp,
    visitor: SignedIn,
    Form(mut draft): Form<Draft>,
) -> Result<Response, Problem> {
    let mut desk = app.desk(&visitor).await?;
    let Some(posting) = draft.read() else {
        let page = render(&mut desk, &draft).await?;
        desk.commit(&app).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    match ledger::post(&mut desk, &posting).await? {
        Ok(_) => {
            desk.commit(&app).await?;
            Ok(Redirect::to("/ledger").into_response())
        }
        Err(NotPosted::Refused(refused)) => {
            desk.commit(&app).await?;
            Err(Problem::Refused(refused.to_string()))
        }
        Err(NotPosted::PeriodClosed(message)) => {
            // The refused statement ended that transaction. The page is read in a new one, which also records the attempt.
            drop(desk);
            draft.errors.push(("posted_on", format!("The period is closed: {message}.")));
            let mut desk = app.desk(&visitor).await?;
            let entry = desk
                .entry("ledger.post")
                .outcome(stockade::audit_chain::Outcome::Denied)
                .after(serde_json::json!({ "posted_on": draft.posted_on, "reason": message }));
            desk.record(&entry).await?;
            let page = render(&mut desk, &draft).await?;
            desk.commit(&app).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

/// `POST /ledger/periods/{id}/close-softly`
pub(crate) async fn close_softly(
    app: WebApp,
    visitor: SignedIn,
    Path(period): Path<Uuid>,
) -> Result<Redirect, Problem> {
    close(app, visitor, period, Closing::Soft).await
}

/// `POST /ledger/periods/{id}/close`
pub(crate) async fn close_for_good(
    app: WebApp,
    visitor: SignedIn,
    Path(period): Path<Uuid>,
) -> Result<Redirect, Problem> {
    close(app, visitor, period, Closing::Hard).await
}

/// Why a period is opened again.
#[derive(Debug, Deserialize)]
pub(crate) struct Reopening {
    reason: String,
}

/// `POST /ledger/periods/{id}/reopen`
pub(crate) async fn reopen(
    State(app): WebApp,
    visitor: SignedIn,
    Path(period): Path<Uuid>,
    Form(Reopening { reason }): Form<Reopening>,
) -> Result<Redirect, Problem> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(Problem::Malformed);
    }
    let mut desk = app.desk(&visitor).await?;
    let outcome = ledger::reopen(&mut desk, period, reason).await?;
    desk.commit(&app).await?;
    outcome.map_err(|refused| Problem::Refused(refused.to_string()))?;
    Ok(Redirect::to("/ledger"))
}

/// Of an adjustment and of a reopening, in characters.
const LONGEST_REASON: usize = 200;

async fn close(State(app): WebApp, visitor: SignedIn, period: Uuid, closing: Closing) -> Result<Redirect, Problem> {
    let mut desk = app.desk(&visitor).await?;
    let outcome = ledger::close(&mut desk, period, closing).await?;
    desk.commit(&app).await?;
    outcome.map_err(|refused| Problem::Refused(refused.to_string()))?;
    Ok(Redirect::to("/ledger"))
}

impl Draft {
    fn read(&mut self) -> Option<NewPosting> {
        let posted_on = self.posted_on.trim().parse::<NaiveDate>().ok();
        if posted_on.is_none() {
            self.errors.push(("posted_on", "Write a day as 2026-09-30.".to_owned()));
        }
        if !ACCOUNTS.contains(&self.account.as_str()) {
            self.errors.push(("account", "Choose an account.".to_owned()));
        }
        let memo = self.memo.trim();
        if memo.is_empty() || memo.chars().count() > 120 {
            self.errors.push(("memo", "Write what it is about, in at most 120 characters.".to_owned()));
        }
        let amount = match Cents::parse(&self.amount) {
            Ok(Cents(0)) => {
                self.errors.push(("amount", "An amount is not zero.".to_owned()));
                None
            }
            Ok(amount) => Some(amount),
            Err(error) => {
                self.errors.push(("amount", error.to_string()));
                None
            }
        };
        let adjustment = self.adjustment.trim();
        if adjustment.chars().count() > LONGEST_REASON {
            self.errors.push(("adjustment", "Write the reason in at most 200 characters.".to_owned()));
        }
        if !self.errors.is_empty() {
            return None;
        }
        Some(NewPosting {
            posted_on: posted_on?,
            account: self.account.clone(),
            memo: memo.to_owned(),
            amount: amount?,
            adjustment: Some(adjustment.to_owned()).filter(|reason| !reason.is_empty()),
        })
    }

    fn error(&self, field: &str) -> Markup {
        html! { @for (_, error) in self.errors.iter().filter(|(name, _)| *name == field) { p.error id={ (field) "-error" } { (error) } } }
    }

    fn invalid(&self, field: &str) -> Option<&'static str> {
        self.errors.iter().any(|(name, _)| *name == field).then_some("true")
    }

    fn described(&self, field: &str) -> Option<String> {
        self.invalid(field).map(|_| format!("{field}-error"))
    }
}

async fn render<W: Reads<Perm>>(desk: &mut Desk<W>, draft: &Draft) -> Result<Markup, Problem> {
    let postings = ledger::postings(desk.tx()).await?;
    let periods = ledger::periods(desk.tx()).await?;
    let books = Resource::in_tenant(desk.user.tenant_id);
    let content = html! {
        div.grid {
            @if desk.may(Perm::LedgerPost, &books) { (form(draft, desk.may(Perm::PeriodAdjust, &books))) }
            div.card.flush {
                h2 { "Fiscal periods" }
                (period_table(&periods, desk.may(Perm::PeriodClose, &books), desk.may(Perm::PeriodReopen, &books)))
            }
        }
        (posting_table(&postings))
    };
    let lead = "A posting is never changed, and nothing posts on or before the last day of a closed period. The schema holds both.";
    Ok(page(&desk.user, Place::Ledger, "Ledger", lead, &content))
}

fn form(draft: &Draft, may_adjust: bool) -> Markup {
    let today = Utc::now().date_naive().to_string();
    let day = if draft.posted_on.is_empty() { &today } else { &draft.posted_on };
    html! {
        form.card method="post" action="/ledger/postings" {
            h2 { "New posting" }
            div.field {
                label for="posted_on" { "Day" }
                input type="date" id="posted_on" name="posted_on" value=(day) required aria-invalid=[draft.invalid("posted_on")] aria-describedby=[draft.described("posted_on")];
                (draft.error("posted_on"))
            }
            div.field {
                label for="account" { "Account" }
                select id="account" name="account" aria-invalid=[draft.invalid("account")] aria-describedby=[draft.described("account")] {
                    @for account in ACCOUNTS { option selected[account == draft.account] { (account) } }
                }
                (draft.error("account"))
            }
            div.field {
                label for="memo" { "Memo" }
                input id="memo" name="memo" maxlength="120" value=(draft.memo) required aria-invalid=[draft.invalid("memo")] aria-describedby=[draft.described("memo")];
                (draft.error("memo"))
            }
            div.field {
                label for="amount" { "Amount" }
                input id="amount" name="amount" inputmode="decimal" value=(draft.amount) required aria-invalid=[draft.invalid("amount")] aria-describedby=[draft.described("amount")];
                (draft.error("amount"))
            }
            @if may_adjust {
                div.field {
                    label for="adjustment" { "Reason, for a softly closed period" }
                    input id="adjustment" name="adjustment" maxlength="200" value=(draft.adjustment) aria-invalid=[draft.invalid("adjustment")] aria-describedby=[draft.described("adjustment")];
                    (draft.error("adjustment"))
                }
            }
            button { "Post" }
        }
    }
}

fn period_table(periods: &[Period], may_close: bool, may_reopen: bool) -> Markup {
    html! {
        div.scroll { table.stack {
            thead { tr { th { "Period" } th { "Days" } th { "State" } } }
            tbody {
                @for period in periods {
                    tr {
                        td.nowrap { (period.name) }
                        td { span.nowrap { (period.starts_on) } " to " span.nowrap { (period.ends_on) } }
                        td {
                            @if let Some(at) = period.closed_at { span.badge.good { "closed" } small { (at.format("%Y-%m-%d %H:%M UTC")) } }
                            @else if let Some(at) = period.soft_closed_at { span.badge.warn { "softly closed" } small { (at.format("%Y-%m-%d %H:%M UTC")) } }
                            @else { span.badge { "open" } }
                            @if may_close && period.closed_at.is_none() {
                                div.actions {
                                    @if period.soft_closed_at.is_none() { (action(period, "close-softly", "Close softly")) }
                                    (action(period, "close", "Close"))
                                }
                            }
                            @if may_reopen && (period.closed_at.is_some() || period.soft_closed_at.is_some()) {
                                details {
                                    summary { "Reopen" }
                                    form method="post" action={ "/ledger/periods/" (period.id) "/reopen" } {
                                        div.field {
                                            label for={ "reason-" (period.id) } { "Reason" }
                                            input id={ "reason-" (period.id) } name="reason" maxlength="200" required;
                                        }
                                        button.quiet.small { "Reopen" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        } }
    }
}

fn action(period: &Period, what: &str, text: &str) -> Markup {
    html! { form method="post" action={ "/ledger/periods/" (period.id) "/" (what) } { button.quiet.small { (text) } } }
}

fn posting_table(postings: &[Posting]) -> Markup {
    html! {
        div.card.flush {
            h2 { "Latest postings" }
            div.scroll {
                table.stack {
                    thead { tr { th { "Day" } th { "Account" } th { "Memo" } th { "Posted by" } th.num { "Amount" } } }
                    tbody {
                        @for posting in postings {
                            tr {
                                td.nowrap { (posting.posted_on) }
                                td.nowrap { (posting.account) }
                                td { (posting.memo) }
                                td data-label="Posted by" { (posting.posted_by_name) }
                                td.num { (posting.amount_cents) }
                            }
                        }
                    }
                }
            }
            @if postings.is_empty() { p.muted.padded { "Nothing is posted yet." } }
        }
    }
}
