//! The collector that measures limits of `stockade-ratelimit`: `ratelimit.auth`.

mod asked;
mod doors;

pub use self::{
    asked::Asked,
    doors::{Door, Doors, doors},
};
