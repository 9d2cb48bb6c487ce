//! Staff, who look as Ana.

use stockade_session::{Issued, NewAccount, Step, TotpSeed, TotpStep, UserId};
use uuid::Uuid;

use crate::support::*;

pub(crate) fn staff() -> UserId {
    Uuid::from_u128(0x57AFF).into()
}

/// Gives a desk staff with a session by two factors.
pub(crate) async fn with_staff(desk: Desk) -> (Desk, Issued) {
    let account = NewAccount { user: staff(), tenant: Uuid::from_u128(0x57).into(), identifier: "staff" };
    desk.auth.accounts().create(account, PASSWORD.into()).await.unwrap();
    desk.auth.accounts().import_totp(staff(), TotpSeed::from_bytes(SEED).unwrap()).await.unwrap();
    let issued = sign_in(&desk).await;
    desk.events.take();
    (desk, issued)
}

/// Signs the staff in.
pub(crate) async fn sign_in(desk: &Desk) -> Issued {
    let Step::TotpRequired(flow) = desk.password("staff", PASSWORD).await else { panic!("no totp") };
    let TotpStep::Done(flow) = flow.verify_totp(&desk.code(0)).await.unwrap() else { panic!("refused") };
    desk.auth.issue(flow).await.unwrap()
}
