//! What is on paper: documents of loads, and settlements with drivers.

use anyhow::Result;
use stockade::tenant_guard::TenantTx;
use uuid::Uuid;

use super::{DRIVERS, LOADS, Tenant};

/// A rate confirmation for every load, a proof of delivery for those that arrived, and a settlement for all that left.
pub(super) async fn papers(tx: &mut TenantTx, tenant: &Tenant) -> Result<()> {
    for (index, (customer, origin, destination, rate, status)) in LOADS.iter().enumerate() {
        let reference = tenant.reference(index);
        let lane = format!("{}\nLoad {reference} for {customer}\n{origin} to {destination}\n", tenant.name);
        add(tx, tenant, index, "rate-confirmation.txt", &format!("RATE CONFIRMATION\n{lane}")).await?;
        if *status == "delivered" {
            add(
                tx,
                tenant,
                index,
                "proof-of-delivery.txt",
                &format!("PROOF OF DELIVERY\n{lane}Received in good order.\n"),
            )
            .await?;
        }
        if matches!(*status, "delivered" | "in transit") {
            let settled =
                "INSERT INTO freight.settlements (tenant_id, id, load_id, driver_id, pay_cents, commission_bp, status)
                           VALUES ($1, $2, $3, $4, $5, 1250, 'draft')";
            sqlx::query(settled)
                .bind(tenant.id)
                .bind(Uuid::from_u128(tenant.id.as_u128() | (index as u128 + 1) << 72))
                .bind(tenant.load(index))
                .bind(tenant.driver(index % DRIVERS.len()))
                .bind(rate * 3 / 4)
                .execute(&mut *tx)
                .await?;
        }
    }
    Ok(())
}

async fn add(tx: &mut TenantTx, tenant: &Tenant, load: usize, name: &str, text: &str) -> Result<()> {
    sqlx::query("INSERT INTO freight.documents (tenant_id, id, load_id, name, content) VALUES ($1, $2, $3, $4, $5)")
        .bind(tenant.id)
        .bind(Uuid::now_v7())
        .bind(tenant.load(load))
        .bind(name)
        .bind(text.as_bytes())
        .execute(tx)
        .await?;
    Ok(())
}
