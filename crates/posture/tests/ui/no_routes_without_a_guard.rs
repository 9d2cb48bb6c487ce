//! The routes cannot be built without a guard, nor with one that decides nothing.

use axum::{Router, http::request::Parts, response::Response};
use stockade_posture::{Assessment, Error, axum::routes};

struct Officer;

async fn assess(_: Officer) -> Result<Assessment, Error> {
    Ok(Assessment::builder(chrono::Utc::now()).build())
}

async fn is_officer(_: Parts) -> bool {
    true
}

async fn admits_somebody_else(_: Parts) -> Result<(), Response> {
    Ok(())
}

fn main() {
    let _: Router = routes(assess);
    let _: Router = routes((), assess);
    let _: Router = routes(is_officer, assess);
    let _: Router = routes(admits_somebody_else, assess);
}
