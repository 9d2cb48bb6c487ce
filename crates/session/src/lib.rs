#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
mod api_token;
mod auth;
mod cipher;
mod client;
mod clock;
mod connection;
mod cookie;
mod device;
mod error;
mod event;
mod flow;
mod fresh;
mod id;
mod impersonation;
mod jwt;
mod key;
mod lockout;
mod network;
mod password;
mod policy;
mod recovery;
mod session;
mod surface;
mod sweep;
mod token;
mod totp;
mod touch;

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub mod postgres;
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub mod redis;
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub mod sqlite;
pub mod store;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower;

pub use surface::*;
