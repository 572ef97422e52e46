//! The portal over HTTP: the calls, what guards them, and hostile requests.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test says so by failing")]

mod attacks;
mod authzen;
mod commands;
mod directories;
mod groups;
mod hostile;
mod openapi;
mod operations;
mod others;
mod scim;
mod scim_clients;
mod scim_hostile;
mod support;
mod told;
