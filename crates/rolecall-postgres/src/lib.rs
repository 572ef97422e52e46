//! The PostgreSQL store of [`rolecall`].
//!
//! ```no_run
//! use deadpool_postgres::{Manager, Pool};
//! use rolecall::Authorizer;
//! use rolecall_postgres::PostgresStore;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config: tokio_postgres::Config = "host=localhost user=app dbname=app".parse()?;
//! let store = PostgresStore::new(Pool::builder(Manager::new(config, tokio_postgres::NoTls)).build()?);
//! store.migrate().await?;
//! // With a runtime, a write goes on when a client hangs up. Without one, its commit can be left in doubt.
//! let authorizer = Authorizer::builder().store(store).runtime(tokio::runtime::Handle::current()).build();
//! # let _ = authorizer;
//! # Ok(())
//! # }
//! ```
//!
//! | | |
//! |---|---|
//! | [`PostgresStore`] | the store, over a pool of the application |
//! | [`ConnectionPool`] | that pool: of deadpool and tokio-postgres, or of sqlx |
//! | [`PostgresStoreBuilder`] | its options: the name of the schema, time limits |
//! | [`OpenTransaction`] | a transaction of the application, into which [`commit_in`](PostgresStore::commit_in) writes |
//! | [`PostgresError`] | why PostgreSQL did not do what the store asked for: the cause of a [`StoreError`](rolecall::store::StoreError) |
//! | [`PostgresHints`] | hints that tenants have newer revisions, for [followers](rolecall::Authorizer::follow) |
//! | [`migration_sql`] | the tables as SQL |
//!
//! [The guide](guide) describes the tables, what people can ask them, transactions of the application, the privileges, failures,
//! several processes, and poolers.
//!
//! | feature | adds |
//! |---|---|
//! | `deadpool` (default) | a pool of deadpool and tokio-postgres; hints on a connection that the store makes |
//! | `sqlx` | a pool of sqlx, and its transactions; needs Rust 1.94 |

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "deadpool")]
mod client;
mod connection;
mod directory;
mod combined;
mod commit;
mod copy;
mod error;
mod history;
mod migrate;
mod notification;
mod pool;
mod read;
mod schema;
mod session;
#[cfg(feature = "sqlx")]
mod sqlx_client;
mod statements;
mod step;
mod store;
mod tables;
mod transaction;
mod value;
mod watch;

#[cfg(feature = "deadpool")]
pub use deadpool_postgres;
pub use error::{PostgresError, PostgresErrorKind};
pub use pool::ConnectionPool;
#[cfg(feature = "sqlx")]
pub use sqlx;
pub use store::{PostgresStore, PostgresStoreBuilder, migration_sql};
#[cfg(feature = "deadpool")]
pub use tokio_postgres;
pub use transaction::OpenTransaction;
pub use watch::PostgresHints;

#[cfg(not(any(feature = "deadpool", feature = "sqlx")))]
compile_error!("rolecall-postgres needs a client: enable the feature `deadpool` or `sqlx`");

/// The README of the package. Its examples need both clients.
#[cfg_attr(all(feature = "deadpool", feature = "sqlx"), doc = "", doc = include_str!("../README.md"))]
#[cfg_attr(
    all(feature = "deadpool", feature = "sqlx"),
    expect(clippy::doc_markdown, reason = "columns are listed without code marks, for readers of the tables")
)]
pub mod guide {}
