//! Embeddable authorization: **may this user do this, in this tenant, and why?** Checks run in memory, without I/O.
//!
//! ```
//! use rolecall::blocking::Authorizer;
//!
//! let acme = Authorizer::in_memory().create_tenant("acme-corp", "Acme Corp")?;
//! acme.update(|tx| {
//!     tx.create_permission("posts:write")?;
//!     tx.create_role("editor")?.grant("posts:*")?;
//!     tx.create_group("engineering")?.assign("editor")?;
//!     tx.create_user("alice@acme.com")?.join("engineering")?;
//!     Ok(())
//! })?;
//! assert!(acme.check("alice@acme.com", "posts:write"));
//! println!("{}", acme.explain("alice@acme.com", "posts:write"));
//! // allowed: `alice@acme.com` is in `engineering`, which has the role `editor`, which grants `posts:*`
//! # Ok::<(), rolecall::Error>(())
//! ```
//!
//! # Map
//!
//! For every application:
//!
//! | to | use |
//! |---|---|
//! | create, open and list tenants | [`Authorizer`], or [`blocking::Authorizer`] without an async runtime |
//! | ask questions | [`Tenant`] for the most common ones, [`Moment`] for all of them |
//! | understand an answer | [`Decision`], [`Reason`], [`Explanation`] |
//! | change a tenant | [`Tx`], the transaction that [`Tenant::update`] passes to its closure |
//! | preview a change | [`Plan`] |
//! | limit what an administrator can give | [`Tx::set_guard`] |
//! | keep two roles apart | [`Tx::create_separation`] |
//! | compare two states, or replay past questions on another state | [`what_if`] |
//! | check what a tenant is expected to allow and to deny | [`assertions`], [`Tx::create_assertion`] |
//! | ask as a user with only some of its roles | [`Moment::narrowed`] |
//! | review who has what, what ends, and what is odd | [`Moment::access_report`], [`Moment::window_changes`], [`Moment::lint`] |
//! | tell a front end what a user may do | [`Moment::permissions_document`] |
//! | limit access in time | [`Window`], [`Timestamp`] |
//! | define permissions and system roles in code | [`catalog!`], [`mod@catalog`] |
//! | handle errors | [`Error`], [`ErrorKind`] |
//! | choose between groups and roles, attributes and relations | [`docs::access_control`] |
//! | follow recipes | [`docs::cookbook`] |
//! | look up the rules and the terms | [`docs::rules`], [`docs::glossary`] |
//!
//! For operation and integration:
//!
//! | to | use |
//! |---|---|
//! | keep tenants in a file | `store::RedbStore`, with the feature `redb` |
//! | keep tenants in PostgreSQL | the package `rolecall-postgres` |
//! | keep tenants in another database | [`store::Store`], [`records`], [`docs::implementing_a_store`] |
//! | export and import a whole tenant as JSON | `Document`, with the feature `json` |
//! | move in from casbin, laravel-permission or Keycloak | [`docs::moving_in`] |
//! | let calls outlive a client that hangs up | [`authorizer::runtime`], [`AuthorizerBuilder::runtime`] |
//! | control time in tests | [`clock`] |
//! | compare answers with a naive model of the rules | [`reference::Model`] |
//! | serve many tenants or very many users | [`docs::scaling`] |
//! | export numbers, logs and traces | [`Authorizer::metrics`], [`docs::observability`] |
//! | put it behind HTTP | [`docs::web_service`]; for axum, the crate `rolecall-axum` |
//! | read about guarantees, security and costs | [`docs`] |
//!
//! # Features
//!
//! Features are additive.
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `json` | yes | `Document`, a whole tenant as JSON; `Assertions::from_json`, a file of expectations |
//! | `confusables` | no | [`Moment::lint`] compares names in all scripts |
//! | `conformance` | no | `store::conformance`: a test suite for stores, and a store that injects faults |
//! | `redb` | no | `store::RedbStore`, a durable store in one file; needs Rust 1.90 |
//! | `tokio` | no | tokio's `Handle` as a [`authorizer::runtime::Runtime`], also for [`blocking`] |
//! | `tracing` | no | spans and events for the application's subscriber; none for a check |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

pub mod docs;
#[cfg(test)]
mod tests;
pub mod blocking;
pub mod authorizer;
#[cfg(feature = "json")]
mod document;
pub mod store;
pub mod plan;
pub mod review;
mod resolver;
mod model;
mod block_on;
mod timer;

pub use authorizer::{Authorizer, AuthorizerBuilder, Tenant};
#[cfg(feature = "json")]
pub use document::Document;
pub use model::error::{EntityKind, Error, ErrorKind, Result};
pub use model::records::{Timestamp, Window};
pub use model::{catalog, clock, error, records, reference};
pub use plan::{Plan, Tx};
pub use resolver::explain::{Decision, Explanation, Reason};
pub use resolver::moment::{Moment, Page, PageRequest};
pub use resolver::snapshot::Snapshot;
pub use resolver::{assertions, explain, moment, snapshot, what_if};
