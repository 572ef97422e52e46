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
//! let authorizer = Authorizer::builder().store(store).build();
//! # let _ = authorizer;
//! # Ok(())
//! # }
//! ```
//!
//! | | |
//! |---|---|
//! | [`PostgresStore`] | the store, over a pool of the application |
//! | [`PostgresStoreBuilder`] | its options: the name of the schema, time limits |
//! | [`PostgresError`] | why PostgreSQL did not do what the store asked for: the cause of a [`StoreError`](rolecall::store::StoreError) |
//! | [`PostgresHints`] | hints that tenants have newer revisions, for [followers](rolecall::Authorizer::follow) |
//! | [`migration_sql`] | the tables as SQL |
//!
//! The README of the package describes the tables, what people can ask them, the privileges, and poolers.

mod connection;
mod directory;
mod commit;
mod error;
mod history;
mod migrate;
mod read;
mod schema;
mod statements;
mod store;
mod tables;
mod value;
mod watch;

pub use deadpool_postgres;
pub use error::{PostgresError, PostgresErrorKind};
pub use store::{PostgresStore, PostgresStoreBuilder, migration_sql};
pub use tokio_postgres;
pub use watch::PostgresHints;

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
