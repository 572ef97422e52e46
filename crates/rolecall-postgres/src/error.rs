//! The meaning of PostgreSQL's errors: which of them are certain, which can be tried again, which may hide a success (S6).

use std::error::Error;
use std::fmt;
use std::time::Duration;

#[cfg(feature = "deadpool")]
use deadpool_postgres::{PoolError, TimeoutType};
use rolecall::error::Quoted;
use rolecall::store::StoreError;

use crate::schema::{SLUG_CONSTRAINT, VERSION};

/// The reason why a call of PostgreSQL failed.
///
/// It is the cause of a [`StoreError`], and the error of the calls that only this store has.
///
/// ```
/// use std::error::Error;
/// use rolecall::store::StoreError;
/// use rolecall_postgres::{PostgresError, PostgresErrorKind};
///
/// fn must_migrate(error: &StoreError) -> bool {
///     let cause = error.source().and_then(|cause| cause.downcast_ref::<PostgresError>());
///     cause.is_some_and(|cause| cause.kind() == PostgresErrorKind::SchemaMissing)
/// }
/// assert!(!must_migrate(&StoreError::unavailable("another cause")));
/// ```
#[derive(Debug)]
pub struct PostgresError {
    kind: PostgresErrorKind,
    message: String,
    source: Option<Source>,
}

#[derive(Debug)]
enum Source {
    Driver(DriverError),
    #[cfg(feature = "deadpool")]
    Pool(PoolError),
}

/// An error of a client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriverError {
    #[cfg(feature = "deadpool")]
    #[error(transparent)]
    Client(#[from] tokio_postgres::Error),
    #[cfg(feature = "sqlx")]
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
}

/// The report of the server.
struct Report<'e> {
    code: &'e str,
    /// Whether its severity is `ERROR`: the session goes on.
    is_error: bool,
    constraint: Option<&'e str>,
}

impl DriverError {
    fn report(&self) -> Option<Report<'_>> {
        match self {
            #[cfg(feature = "deadpool")]
            Self::Client(error) => {
                use tokio_postgres::error::Severity;
                let db = error.as_db_error()?;
                let is_error = matches!(db.parsed_severity(), Some(Severity::Error));
                Some(Report { code: db.code().code(), is_error, constraint: db.constraint() })
            }
            #[cfg(feature = "sqlx")]
            Self::Sqlx(error) => {
                use sqlx::postgres::{PgDatabaseError, PgSeverity};
                let db = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
                let is_error = matches!(db.severity(), PgSeverity::Error);
                Some(Report { code: db.code(), is_error, constraint: db.constraint() })
            }
        }
    }

    /// Whether the connection was lost. The client reports this, not the server.
    fn is_lost(&self) -> bool {
        match self {
            #[cfg(feature = "deadpool")]
            Self::Client(error) => error.is_closed() || error.source().is_some_and(<dyn Error>::is::<std::io::Error>),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(error) => {
                matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed)
            }
        }
    }

    fn as_error(&self) -> &(dyn Error + 'static) {
        match self {
            #[cfg(feature = "deadpool")]
            Self::Client(error) => error,
            #[cfg(feature = "sqlx")]
            Self::Sqlx(error) => error,
        }
    }
}

/// The kind of a [`PostgresError`].
///
/// ```
/// use rolecall_postgres::PostgresErrorKind;
///
/// fn should_alert(kind: PostgresErrorKind) -> bool {
///     matches!(kind, PostgresErrorKind::SchemaTooNew | PostgresErrorKind::ReadOnly | PostgresErrorKind::Damaged)
/// }
/// assert!(!should_alert(PostgresErrorKind::PoolExhausted));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PostgresErrorKind {
    /// The schema or its tables do not exist. Call [`migrate`](crate::PostgresStore::migrate).
    SchemaMissing,
    /// The schema is of an older release. Call [`migrate`](crate::PostgresStore::migrate).
    SchemaTooOld,
    /// A later release has migrated the schema, and this release cannot work with it.
    SchemaTooNew,
    /// The call was not made within a tokio runtime.
    NoRuntime,
    /// No connection of the pool became free in time.
    PoolExhausted,
    /// The application has closed the pool, or configured it so that it cannot work.
    PoolUnusable,
    /// No connection could be made, or the server refused it: it is starting, has no free session, or denies access.
    Unreachable,
    /// The connection was lost.
    ConnectionLost,
    /// The server ends its sessions: it is shut down, restarted, or another server takes over.
    ShuttingDown,
    /// The server is a standby, or the database, role or session is read-only.
    ReadOnly,
    /// A step took longer than the store's [step timeout](crate::PostgresStoreBuilder::step_timeout).
    StepTimeout,
    /// The server cancelled a statement: its own time limit, a lock that was not free in time, or an administrator.
    Cancelled,
    /// The transaction failed too often because of other transactions: deadlocks or serialization failures.
    Contention,
    /// The role lacks a privilege. [The guide](crate::guide) lists what it needs.
    Denied,
    /// The server has no disk space or no memory left.
    OutOfResources,
    /// The content of the tables breaks the contract: somebody else wrote to them, or a disk is damaged.
    Damaged,
    /// Anything else.
    Other,
}

impl PostgresError {
    /// Returns the kind of failure.
    ///
    /// ```
    /// use rolecall_postgres::{PostgresError, PostgresErrorKind};
    ///
    /// fn advice(error: &PostgresError) -> Option<&'static str> {
    ///     match error.kind() {
    ///         PostgresErrorKind::SchemaMissing | PostgresErrorKind::SchemaTooOld => Some("run the migration"),
    ///         PostgresErrorKind::PoolExhausted => Some("allow more connections"),
    ///         _ => None,
    ///     }
    /// }
    /// # let _ = advice;
    /// ```
    pub fn kind(&self) -> PostgresErrorKind {
        self.kind
    }

    /// Returns the SQLSTATE, if the server reported the error.
    ///
    /// ```
    /// # use rolecall_postgres::PostgresError;
    /// fn is_disk_full(error: &PostgresError) -> bool {
    ///     error.sqlstate() == Some("53100")
    /// }
    /// ```
    pub fn sqlstate(&self) -> Option<&str> {
        match self.source.as_ref()? {
            Source::Driver(error) => error.report().map(|report| report.code),
            #[cfg(feature = "deadpool")]
            Source::Pool(PoolError::Backend(error)) => Some(error.code()?.code()),
            #[cfg(feature = "deadpool")]
            Source::Pool(_) => None,
        }
    }

    pub(crate) fn new(kind: PostgresErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    #[cfg(feature = "deadpool")]
    pub(crate) fn of_client(error: tokio_postgres::Error) -> Self {
        Self::of_driver(error.into())
    }

    #[cfg(feature = "sqlx")]
    pub(crate) fn of_sqlx(error: sqlx::Error) -> Self {
        Self::of_driver(error.into())
    }

    fn of_driver(error: DriverError) -> Self {
        let kind = match error.report() {
            Some(report) => kind_of(&report),
            // An error without a report of the server comes from the link, unless a value could not be sent or read.
            None if error.is_lost() => PostgresErrorKind::ConnectionLost,
            None => PostgresErrorKind::Other,
        };
        let message = with_sources(error.as_error());
        Self { kind, message, source: Some(Source::Driver(error)) }
    }

    #[cfg(feature = "deadpool")]
    pub(crate) fn of_pool(error: PoolError) -> Self {
        let kind = match &error {
            PoolError::Timeout(TimeoutType::Wait) => PostgresErrorKind::PoolExhausted,
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                PostgresErrorKind::PoolUnusable
            }
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) | PoolError::Backend(_) => {
                PostgresErrorKind::Unreachable
            }
        };
        let message = match &error {
            PoolError::Backend(error) => format!("cannot connect: {}", with_sources(error)),
            other => format!("no connection from the pool: {other}"),
        };
        Self { kind, message, source: Some(Source::Pool(error)) }
    }

    #[cfg(feature = "sqlx")]
    pub(crate) fn of_sqlx_pool(error: sqlx::Error) -> Self {
        let (kind, message) = match &error {
            sqlx::Error::PoolClosed => {
                (PostgresErrorKind::PoolUnusable, format!("no connection from the pool: {error}"))
            }
            other => (PostgresErrorKind::Unreachable, format!("cannot connect: {}", with_sources(other))),
        };
        Self { kind, message, source: Some(Source::Driver(error.into())) }
    }

    pub(crate) fn lost_before_commit() -> Self {
        Self::new(PostgresErrorKind::ConnectionLost, "the connection was lost before COMMIT was sent")
    }

    pub(crate) fn no_runtime() -> Self {
        const MESSAGE: &str = "no tokio runtime: call from within one, \
            or give one to the blocking API by `runtime(handle)`";
        Self::new(PostgresErrorKind::NoRuntime, MESSAGE)
    }

    pub(crate) fn step_timeout(step: &str, limit: Duration) -> Self {
        Self::new(PostgresErrorKind::StepTimeout, format!("{step} took longer than {limit:?}"))
    }

    pub(crate) fn read_only() -> Self {
        Self::new(PostgresErrorKind::ReadOnly, "the server is a standby: expected the primary")
    }

    pub(crate) fn damaged(message: impl fmt::Display) -> Self {
        Self::new(PostgresErrorKind::Damaged, message.to_string())
    }

    pub(crate) fn schema_missing(schema: &str) -> Self {
        let message = format!("schema {} does not have the tables of this store; call `migrate`", Quoted(schema));
        Self::new(PostgresErrorKind::SchemaMissing, message)
    }

    /// Compares the version of a schema with the one of this release.
    pub(crate) fn check_version(schema: &str, version: i32, compatible_from: i32) -> Result<(), Self> {
        let schema = Quoted(schema);
        if version < VERSION {
            let message = format!("schema {schema} has version {version}, expected {VERSION}; call `migrate`");
            return Err(Self::new(PostgresErrorKind::SchemaTooOld, message));
        }
        if compatible_from > VERSION {
            let message = format!(
                "schema {schema} has version {version}, which needs a later release; this release knows version {VERSION}"
            );
            return Err(Self::new(PostgresErrorKind::SchemaTooNew, message));
        }
        Ok(())
    }
}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for PostgresError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.source.as_ref()? {
            Source::Driver(error) => Some(error.as_error()),
            #[cfg(feature = "deadpool")]
            Source::Pool(error) => Some(error),
        }
    }
}

/// Joins the first line of each layer, because the driver's error shows only its own layer. Later lines can be the server's
/// detail, which may contain values of a row, such as the key of a user. They stay in the source.
fn with_sources(error: &dyn Error) -> String {
    let first_line = |layer: &dyn Error| layer.to_string().lines().next().unwrap_or_default().to_owned();
    let (mut text, mut next) = (first_line(error), error.source());
    while let Some(source) = next {
        let line = first_line(source);
        // Some errors of sqlx end with the text of their source.
        if !text.ends_with(&line) {
            text = format!("{text}: {line}");
        }
        next = source.source();
    }
    text
}

fn kind_of(report: &Report<'_>) -> PostgresErrorKind {
    use PostgresErrorKind as Kind;
    match report.code {
        "3F000" | "42P01" | "42703" => Kind::SchemaMissing,
        "40001" | "40P01" => Kind::Contention,
        "57P01" | "57P02" | "57P03" => Kind::ShuttingDown,
        "57014" | "55P03" => Kind::Cancelled,
        // The server closed a session that had paused in a transaction, or had been idle: as if the link had been cut.
        "25P03" | "57P05" => Kind::ConnectionLost,
        "25006" => Kind::ReadOnly,
        "42501" | "0L000" | "0P000" => Kind::Denied,
        "XX001" | "XX002" => Kind::Damaged,
        code => match code.get(..2) {
            Some("08") => Kind::ConnectionLost,
            Some("28") => Kind::Unreachable,
            Some("53") => Kind::OutOfResources,
            // A constraint, or a value that a column does not take.
            Some("22" | "23") => Kind::Damaged,
            _ => Kind::Other,
        },
    }
}

/// How far a call was when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// COMMIT was not sent: whatever happens, nothing was applied.
    BeforeCommit,
    /// COMMIT may have been sent.
    AtCommit,
}

/// The next step after a failure.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server rolled back for a reason that passes, and the session goes on: start again.
    Again(PostgresError),
    /// The session is gone or of no use, and nothing was applied: start again on another connection.
    Elsewhere(PostgresError),
    /// The answer of the store.
    Answer(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Answer(error)
    }
}

impl Failure {
    /// The answer if the call is not tried again.
    pub(crate) fn into_answer(self) -> StoreError {
        match self {
            Self::Again(error) | Self::Elsewhere(error) => StoreError::unavailable(error),
            Self::Answer(error) => error,
        }
    }

    pub(crate) fn damaged(message: impl fmt::Display) -> Self {
        Self::Answer(StoreError::corrupt(PostgresError::damaged(message)))
    }

    /// An error of a statement before COMMIT.
    pub(crate) fn of(error: DriverError) -> Self {
        Self::at(Stage::BeforeCommit, error)
    }

    /// The failure of a BEGIN that asks for a transaction that writes. A standby answers that it lacks the feature.
    pub(crate) fn at_begin(self) -> Self {
        let is_missing = |cause: &PostgresError| cause.sqlstate() == Some("0A000");
        match self {
            Self::Answer(StoreError::Unavailable(cause)) if cause.downcast_ref().is_some_and(is_missing) => {
                Self::Elsewhere(PostgresError::read_only())
            }
            other => other,
        }
    }

    pub(crate) fn at(stage: Stage, error: DriverError) -> Self {
        let (code, ends_session, slug_taken) = match error.report() {
            None => (None, true, false),
            Some(report) => {
                let slug_taken = report.constraint == Some(SLUG_CONSTRAINT);
                (Some(report.code.to_owned()), ends_session(&report), slug_taken)
            }
        };
        let (error, code) = (PostgresError::of_driver(error), code.as_deref());
        // At COMMIT only an error of a session that goes on is certain: the transaction was rolled back. 40003 says that it
        // is not, and a pooler reports its own lost connection as an error of class 08.
        let code_in_doubt = code.is_some_and(|code| code == "40003" || code.starts_with("08"));
        if stage == Stage::AtCommit && (ends_session || code_in_doubt) {
            return StoreError::in_doubt(error).into();
        }
        match (error.kind, code) {
            (_, Some("23505")) if slug_taken => StoreError::SlugTaken.into(),
            (_, Some(code)) if code.starts_with("54") => StoreError::too_large(error).into(),
            (PostgresErrorKind::Contention, _) if !ends_session => Self::Again(error),
            // Another connection may lead to the new primary.
            (PostgresErrorKind::ReadOnly | PostgresErrorKind::ConnectionLost | PostgresErrorKind::ShuttingDown, _) => {
                Self::Elsewhere(error)
            }
            (PostgresErrorKind::Damaged, _) => StoreError::corrupt(error).into(),
            _ => StoreError::unavailable(error).into(),
        }
    }
}

/// Whether the server ends the session with this error. `ERROR` leaves it.
fn ends_session(report: &Report<'_>) -> bool {
    // Poolers report these in either way.
    !report.is_error || matches!(report.code, "57P01" | "57P02" | "57P03")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn the_detail_of_a_row_is_not_in_the_message() {
        let server = Layer("ERROR: null value in column\nDETAIL: Failing row contains (alice@acme.com).", None);
        assert_eq!(with_sources(&Layer("db error", Some(Box::new(server)))), "db error: ERROR: null value in column");
    }

    #[test]
    fn a_source_that_its_error_repeats_is_named_once() {
        let (server, other) = (Layer("no such table", None), Layer("broken pipe", None));
        let repeated = Layer("error returned from database: no such table", Some(Box::new(server)));
        assert_eq!(with_sources(&repeated), "error returned from database: no such table");
        assert_eq!(with_sources(&Layer("cannot send", Some(Box::new(other)))), "cannot send: broken pipe");
    }
}
