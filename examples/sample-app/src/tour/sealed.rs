//! A social security number: stored sealed, shown masked, revealed with permission, useless elsewhere.

use anyhow::{Result, bail};

use super::Tour;
use crate::{domain::drivers, seed};

/// One driver's number, and what a copy of its ciphertext is worth.
pub(super) async fn drivers(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("A driver's social security number is sealed");
    let app = tour.app();
    let keys = app.driver_keys(seed::ACME.id, &[seed::ACME.driver(0), seed::ACME.driver(1)]).await?;
    let mut desk = tour.owner_desk("POST", "/drivers/{id}/ssn").await?;
    let drivers = drivers::all(&mut desk).await?;
    let [driver, other, ..] = drivers.as_slice() else { bail!("there are not two drivers") };
    let stored: Vec<u8> = sqlx::query_scalar("SELECT ssn FROM freight.drivers WHERE id = $1")
        .bind(driver.id)
        .fetch_one(&mut desk.tx)
        .await?;
    let masked = driver.masked_ssn(&keys)?;
    let revealed = drivers::reveal_ssn(&mut desk, &keys, driver).await?;
    desk.commit(app).await?;
    let Ok(ssn) = revealed else { bail!("the owner may not reveal a number") };
    let hidden = !stored.windows(4).any(|bytes| ssn.expose().as_bytes().windows(4).any(|part| part == bytes));
    tour.check(
        "read the column as the database has it",
        format!("{} bytes: {}...", stored.len(), hex::encode(stored.get(..12).unwrap_or(&stored))),
        hidden,
    );
    tour.check("show it on a page", &masked, masked.starts_with("***-**-"));
    tour.check(
        &format!("{} reveals it", seed::OWNER.name),
        format!("{} (recorded)", ssn.expose()),
        ssn.expose().len() == 11,
    );

    let viewer = tour.sign_in(&seed::ACME, &seed::VIEWER).await?;
    let mut desk = tour.desk(&viewer, "POST", "/drivers/{id}/ssn").await?;
    let refused = drivers::reveal_ssn(&mut desk, &keys, driver).await?;
    desk.commit(app).await?;
    match refused {
        Err(refused) => tour.check(&format!("{} reveals it", seed::VIEWER.name), refused, true),
        Ok(_) => tour.check("a viewer reveals it", "revealed", false),
    }

    // The copy is made as the superuser, past every policy, and put right afterwards.
    let own = other.ssn.as_bytes().to_vec();
    write_ssn(tour, other.id, &stored).await?;
    let mut desk = tour.owner_desk("GET", "/drivers").await?;
    let copied = drivers::find(&mut desk, other.id).await?;
    desk.commit(app).await?;
    let Some(copied) = copied else { bail!("the driver is gone") };
    write_ssn(tour, other.id, &own).await?;
    let opened = copied.masked_ssn(&keys);
    let happened = opened.as_ref().map_or_else(ToString::to_string, |_| "it opened".to_owned());
    tour.check(
        &format!("copy the ciphertext of {} into the row of {}, as a superuser", driver.name, other.name),
        happened,
        opened.is_err(),
    );
    Ok(())
}

async fn write_ssn(tour: &Tour<'_>, driver: uuid::Uuid, stored: &[u8]) -> Result<()> {
    let mut superuser = tour.scratch.superuser().await?;
    sqlx::query("UPDATE freight.drivers SET ssn = $1 WHERE tenant_id = $2 AND id = $3")
        .bind(stored)
        .bind(seed::ACME.id)
        .bind(driver)
        .execute(&mut superuser)
        .await?;
    sqlx::Connection::close(superuser).await?;
    Ok(())
}
