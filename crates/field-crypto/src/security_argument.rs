#![doc = include_str!("../docs/security-argument.md")]
