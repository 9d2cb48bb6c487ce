//! The layer and the extractors, through routers.

mod browser;
mod cookies;
mod cross_site;
mod example;
mod extractors;
mod sign_in;
mod standing;
