//! **May this user do this, in this tenant, and why?** Answered in your own process, from memory, without a network
//! hop, a lock or an `await`.
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
//! // allowed: alice@acme.com is in engineering, which has the role editor, which grants posts:*
//! # Ok::<(), rolecall::Error>(())
//! ```
//!
//! # Map
//!
//! | I want to | read |
//! |---|---|
//! | ask | [`Moment`]: every question lives there; [`Tenant`] leads to it |
//! | understand an answer | [`Explanation`], [`Decision`], [`Reason`] |
//! | change something | [`Tx`]; look before with [`Plan`] |
//! | open, create, list tenants | [`Authorizer`], or without an executor [`blocking`] |
//! | define permissions in code | [`catalog!`] |
//! | follow a recipe | [`docs::cookbook`] |
//! | know what everything means (R1 to R12, R16) | [`docs::rules`] |
//! | keep tenants in a file | `store::RedbStore`, with the feature `redb` |
//! | keep tenants in my database | [`store::Store`], [`docs::implementing_a_store`] |
//! | carry many tenants, or very many users | [`docs::scaling`] |
//! | read and write a whole organisation | `Document`, with the feature `json` |
//! | know why it is so, what is promised, what it costs | [`docs`] |
//! | have a second opinion | [`reference::Model`], the rules by the book |
//!
//! # Features
//!
//! Features only add.
//!
//! | feature | adds |
//! |---|---|
//! | `json`, on by default | the organisation document |
//! | `conformance` | the suite that a store is tested with, and a store that plays faults |
//! | `redb` | a durable store in one file, `store::RedbStore`; needs Rust 1.90 |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

pub mod docs;
#[cfg(test)]
mod tests;
pub mod blocking;
mod authorizer;
#[cfg(feature = "json")]
mod document;
pub mod store;
pub mod plan;
mod resolver;
mod model;
mod block_on;

pub use authorizer::{Authorizer, AuthorizerBuilder, Lag, Outcome, Repair, Tenant, Updated};
#[cfg(feature = "json")]
pub use document::Document;
pub use model::error::{EntityKind, Error, ErrorKind, InvariantViolation, Mistake, MistakeCode, Result, ViolationCode};
pub use model::records::{Timestamp, Window};
pub use model::{catalog, clock, records, reference};
pub use plan::{Plan, Tx};
pub use resolver::explain::{Decision, Explanation, Reason};
pub use resolver::moment::{Moment, Page, PageRequest};
pub use resolver::snapshot::{External, PermissionHandle, Snapshot, UserHandle};
pub use resolver::{explain, moment, snapshot};
