//! Switches of the tenant.

use axum::{extract::State, response::Redirect};
use maud::{Markup, html};
use serde::Deserialize;
use stockade::rbac::Resource;

use super::{
    Form, SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    desk::Look,
    domain::features::{self, Feature, Position},
    permissions::Perm,
};

/// `GET /administration/features`
pub(crate) async fn show(mut look: Look) -> Result<Markup, Problem> {
    let mut positions = Vec::new();
    for feature in Feature::ALL {
        positions.push((feature, features::position(&mut look.tx, feature).await?));
    }
    let may = look.user.seen_by.is_none() && look.may(Perm::FeatureEdit, &Resource::in_tenant(look.user.tenant_id));
    let user = look.close().await?;
    let content = html! {
        @for (feature, position) in positions {
            form.card method="post" action="/administration/features" {
                h2 { code { (feature.name()) } " " span.badge.good[position == Position::On].warn[position == Position::Off] { (position.name()) } }
                p { (feature.words()) }
                @if may {
                    input type="hidden" name="feature" value=(feature.name());
                    input type="hidden" name="position" value=(position.other().name());
                    button.quiet { "Switch " (feature.name()) " " (position.other().name()) }
                }
            }
        }
    };
    let lead = "What your people may use, whatever their roles. Each switch is an entry of the audit log, with how it stood before.";
    Ok(page(&user, Place::Features, "Features", lead, &content))
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Switch {
    feature: String,
    position: String,
}

/// `POST /administration/features`
pub(crate) async fn switch(
    State(app): WebApp,
    visitor: SignedIn,
    Form(sent): Form<Switch>,
) -> Result<Redirect, Problem> {
    let feature = Feature::ALL.into_iter().find(|one| one.name() == sent.feature);
    let position = [Position::On, Position::Off].into_iter().find(|one| one.name() == sent.position);
    let (Some(feature), Some(position)) = (feature, position) else { return Err(Problem::Malformed) };
    let mut desk = app.desk(&visitor).await?;
    let outcome = features::switch(&mut desk, feature, position).await?;
    desk.commit(&app).await?;
    outcome?;
    Ok(Redirect::to("/administration/features"))
}
