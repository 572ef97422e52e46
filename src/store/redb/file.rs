//! Opening: creates a file whole or not at all, checks it before changing it, and verifies it before answering from it.
//!
//! Deliberately absent: migration between formats.

use std::fmt::Display;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use redb::{Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableError};

use super::error::RedbError;
use super::failure::{RedbFailure, catch_panic};
use super::format::{
    ABOUT, COMMITS, FORMAT, FORMAT_KEY, RECORDS, SLUGS, TENANTS, TableId, verify_checksum, with_checksum,
};
use super::rows::{TenantRow, decode};

/// Redb's default is a gigabyte for each store.
const CACHE: usize = 64 << 20;

/// Where the database is stored.
#[derive(Debug)]
pub(super) enum Backend {
    /// A file.
    File(PathBuf),
    /// A disk that fails on command, for tests.
    #[cfg(test)]
    Disk(super::disk::Disk),
}

impl Backend {
    /// Opens an existing database.
    pub(super) fn open(&self) -> Result<Database, RedbError> {
        catch_panic(
            || {
                let database = match self {
                    Self::File(path) => {
                        check_before_opening(path)?;
                        builder().open(path).map_err(RedbError::of)?
                    }
                    #[cfg(test)]
                    Self::Disk(disk) => builder().create_with_backend(disk.clone()).map_err(RedbError::of)?,
                };
                verify(&database.begin_read().map_err(RedbFailure::from)?)?;
                Ok(database)
            },
            RedbError::Damaged,
        )
        .map_err(|error| error.at(self.path()))
    }

    /// Creates an empty store, unless the file exists.
    pub(super) fn create(&self) -> Result<(), RedbError> {
        match self {
            Self::File(path) => create(path).map_err(|error| error.at(path)),
            #[cfg(test)]
            Self::Disk(disk) => write_format(&builder().create_with_backend(disk.clone()).map_err(RedbError::of)?),
        }
    }

    /// The path of the file, for messages.
    fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            #[cfg(test)]
            Self::Disk(_) => Path::new("disk-of-a-test"),
        }
    }

    /// Names the file before a text, which does not say what it is about.
    pub(super) fn about(&self, text: &impl Display) -> String {
        format!("{}: {text}", self.path().display())
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    builder
}

/// Creates the file under a temporary name. Links it to its own name once it is complete and durable, because the process
/// may be killed in between. A killed process leaves a small file whose name ends in `.new-` and a UUID. The folder is
/// synchronised too: redb does not do that, and a crash of the machine could otherwise lose the whole file.
fn create(path: &Path) -> Result<(), RedbError> {
    let mut name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?.to_owned();
    name.push(format!(".new-{}", uuid::Uuid::new_v4()));
    let new = path.with_file_name(name);
    let database = builder().create(&new).map_err(RedbError::of)?;
    let created = write_format(&database).and_then(|()| database.close().map_err(RedbError::of));
    let linked = created.and_then(|()| match fs::hard_link(&new, path) {
        // Another creator was faster.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A file system without links. Of two simultaneous creators, one loses its file and notices when it opens it.
        Err(_) if !path.exists() => Ok(fs::rename(&new, path)?),
        other => Ok(other?),
    });
    if let Err(e) = fs::remove_file(&new) {
        // It was renamed. Any other failure leaves an unused file behind, which does no harm.
        drop(e);
    }
    linked?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Other systems cannot open a folder.
    if cfg!(unix) { Ok(File::open(folder)?.sync_all()?) } else { Ok(()) }
}

/// Writes the format number and creates every table.
fn write_format(database: &Database) -> Result<(), RedbError> {
    let mut writing = database.begin_write().map_err(RedbFailure::from)?;
    writing.set_two_phase_commit(true);
    let tables = || -> Result<(), RedbFailure> {
        let (number, _) = with_checksum(TableId::About, FORMAT_KEY.as_bytes(), FORMAT.to_le_bytes().to_vec());
        writing.open_table(ABOUT)?.insert(FORMAT_KEY, &*number)?;
        for table in [SLUGS, TENANTS, RECORDS, COMMITS] {
            writing.open_table(table)?;
        }
        Ok(())
    };
    tables()?;
    writing.commit().map_err(|e| RedbError::Io(io::Error::other(e)))
}

/// Checks a file without writing: opening writes, and must not touch a file of another application or a later release. A
/// file that cannot be checked like this (not closed cleanly, or damaged) is left to the real opening.
fn check_before_opening(path: &Path) -> Result<(), RedbError> {
    let look = || match builder().open_read_only(path) {
        Ok(database) => match database.begin_read() {
            Ok(reading) => check_format(&reading),
            Err(_) => Ok(()),
        },
        Err(e) => match RedbError::of(e) {
            known @ (RedbError::InUse | RedbError::NotAStore(_)) => Err(known),
            _ => Ok(()),
        },
    };
    match catch_panic(look, RedbError::Damaged) {
        Err(RedbError::Damaged(_)) => Ok(()),
        other => other,
    }
}

fn check_format(reading: &ReadTransaction) -> Result<(), RedbError> {
    let about = match reading.open_table(ABOUT) {
        Err(TableError::Storage(e)) => return Err(RedbFailure::from(e).into()),
        Err(_) => return Err(RedbError::NotAStore("a redb file of another application".to_owned())),
        Ok(about) => about,
    };
    let number = about.get(FORMAT_KEY).map_err(RedbFailure::from)?;
    let number = number.ok_or_else(|| RedbError::Damaged("missing format number".to_owned()))?;
    let (number, _) = verify_checksum(TableId::About, FORMAT_KEY.as_bytes(), number.value())?;
    let found = u32::from_le_bytes(number.try_into().map_err(|_| RedbFailure::corrupt("invalid format number"))?);
    match found {
        FORMAT => Ok(()),
        1.. if found > FORMAT => Err(RedbError::Newer { found, known: FORMAT }),
        1.. => Err(RedbError::NotAStore(format!("format {found} was never published"))),
        0 => Err(RedbError::Damaged(format!("unknown format {found}"))),
    }
}

/// Checks that the tables exist and that every tenant has its slug in the index. Redb verified the page checksums.
fn verify(reading: &ReadTransaction) -> Result<(), RedbError> {
    check_format(reading)?;
    let missing = |e: TableError| match e {
        TableError::Storage(e) => RedbError::from(RedbFailure::from(e)),
        other => RedbError::Damaged(other.to_string()),
    };
    let slugs = reading.open_table(SLUGS).map_err(missing)?;
    let tenants = reading.open_table(TENANTS).map_err(missing)?;
    reading.open_table(RECORDS).map_err(missing)?;
    reading.open_table(COMMITS).map_err(missing)?;
    let (mut live, mut unreadable) = (0_u64, 0_u64);
    for row in tenants.iter().map_err(RedbFailure::from)? {
        let (tenant_id, row) = row.map_err(RedbFailure::from)?;
        match verify_checksum(TableId::Tenants, tenant_id.value(), row.value()).and_then(|(row, _)| decode(row)) {
            Ok(TenantRow::Deleted) => {}
            Ok(TenantRow::Live(tenant)) => {
                live += 1;
                if slugs.get(tenant.slug.as_str().as_bytes()).map_err(RedbFailure::from)?.is_none() {
                    return Err(RedbError::Damaged("a tenant's slug is missing from the index".to_owned()));
                }
            }
            // A call for this tenant returns `Corrupt`; the other tenants still work (S10).
            Err(_) => unreadable += 1,
        }
    }
    let found = slugs.len().map_err(RedbFailure::from)?;
    if (live..=live + unreadable).contains(&found) {
        return Ok(());
    }
    Err(RedbError::Damaged(format!("found {found} slugs, expected {live}")))
}
