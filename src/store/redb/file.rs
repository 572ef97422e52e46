//! Opening: a file is created whole or not at all, recognised before it is touched, and verified before it answers.
//!
//! Deliberately absent: migration. There is one format.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use redb::{Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableError};

use super::error::RedbError;
use super::fault::{Fault, caught};
use super::format::{ABOUT, COMMITS, FORMAT, FORMAT_KEY, Place, RECORDS, SLUGS, TENANTS, seal, unseal};
use super::rows::{TenantRow, decode};

/// Redb's own default is a gigabyte, for each store.
const CACHE: usize = 64 << 20;

/// Where a database is.
#[derive(Debug)]
pub(super) enum Medium {
    /// In a file.
    File(PathBuf),
    /// On a disk that fails when a test says so.
    #[cfg(test)]
    Disk(super::disk::Disk),
}

impl Medium {
    /// Opens what must be there.
    pub(super) fn open(&self) -> Result<Database, RedbError> {
        caught(
            || {
                let database = match self {
                    Self::File(path) => {
                        recognise(path)?;
                        builder().open(path).map_err(RedbError::of)?
                    }
                    #[cfg(test)]
                    Self::Disk(disk) => builder().create_with_backend(disk.clone()).map_err(RedbError::of)?,
                };
                verify(&database.begin_read().map_err(Fault::from)?)?;
                Ok(database)
            },
            RedbError::Damaged,
        )
    }

    /// Creates an empty store, unless something is there.
    pub(super) fn create(&self) -> Result<(), RedbError> {
        match self {
            Self::File(path) => create(path),
            #[cfg(test)]
            Self::Disk(disk) => begin(&builder().create_with_backend(disk.clone()).map_err(RedbError::of)?),
        }
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    builder
}

/// Makes the file under another name and gives it its own when it is whole and durable, for an application may be killed
/// in between. What is left behind then is a small file whose name ends in `.new-` and a UUID. The folder is synchronised
/// too: redb does not, and without that a crash of the machine could take the file away with all that was acknowledged.
fn create(path: &Path) -> Result<(), RedbError> {
    let mut name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?.to_owned();
    name.push(format!(".new-{}", uuid::Uuid::new_v4()));
    let new = path.with_file_name(name);
    let database = builder().create(&new).map_err(RedbError::of)?;
    let made = begin(&database).and_then(|()| database.close().map_err(RedbError::of));
    let placed = made.and_then(|()| match fs::hard_link(&new, path) {
        // Somebody was quicker.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A file system without links: of two creators at the same instant, one loses its file, and finds that out when
        // it opens it.
        Err(_) if !path.exists() => Ok(fs::rename(&new, path)?),
        other => Ok(other?),
    });
    if let Err(e) = fs::remove_file(&new) {
        // It was renamed; whatever else keeps it there, the store is none the worse for it.
        drop(e);
    }
    placed?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Elsewhere a folder cannot be opened, let alone synchronised.
    if cfg!(unix) { Ok(File::open(folder)?.sync_all()?) } else { Ok(()) }
}

/// Writes the mark of the format, and opens every table, which creates it.
fn begin(database: &Database) -> Result<(), RedbError> {
    let mut writing = database.begin_write().map_err(Fault::from)?;
    writing.set_two_phase_commit(true);
    let tables = || -> Result<(), Fault> {
        let (mark, _) = seal(Place::About, FORMAT_KEY.as_bytes(), FORMAT.to_le_bytes().to_vec());
        writing.open_table(ABOUT)?.insert(FORMAT_KEY, &*mark)?;
        for table in [SLUGS, TENANTS, RECORDS, COMMITS] {
            writing.open_table(table)?;
        }
        Ok(())
    };
    tables()?;
    writing.commit().map_err(|e| RedbError::Io(io::Error::other(e)))
}

/// Looks at a file without writing, for opening verifies and so writes: not to a stranger's file, nor to that of a later
/// release. What cannot be looked at like this (it was not closed, it is damaged) is for the real opening to judge.
fn recognise(path: &Path) -> Result<(), RedbError> {
    let look = || match builder().open_read_only(path) {
        Ok(database) => match database.begin_read() {
            Ok(reading) => recognise_format(&reading),
            Err(_) => Ok(()),
        },
        Err(e) => match RedbError::of(e) {
            known @ (RedbError::InUse | RedbError::Foreign(_)) => Err(known),
            _ => Ok(()),
        },
    };
    match caught(look, RedbError::Damaged) {
        Err(RedbError::Damaged(_)) => Ok(()),
        other => other,
    }
}

fn recognise_format(reading: &ReadTransaction) -> Result<(), RedbError> {
    let about = match reading.open_table(ABOUT) {
        Err(TableError::Storage(e)) => return Err(Fault::from(e).into()),
        Err(_) => return Err(RedbError::Foreign("a redb file of another application".to_owned())),
        Ok(about) => about,
    };
    let mark = about.get(FORMAT_KEY).map_err(Fault::from)?;
    let mark = mark.ok_or_else(|| RedbError::Damaged("the mark of the format is missing".to_owned()))?;
    let (mark, _) = unseal(Place::About, FORMAT_KEY.as_bytes(), mark.value())?;
    let found = u32::from_le_bytes(mark.try_into().map_err(|_| Fault::corrupt("the mark of the format"))?);
    match found {
        FORMAT => Ok(()),
        1.. if found > FORMAT => Err(RedbError::Newer { found, known: FORMAT }),
        1.. => Err(RedbError::Foreign(format!("format {found} was never published"))),
        0 => Err(RedbError::Damaged(format!("there is no format {found}"))),
    }
}

/// Whether the tables are there, and every living tenant under its slug. Redb has verified the checksum of every page.
fn verify(reading: &ReadTransaction) -> Result<(), RedbError> {
    recognise_format(reading)?;
    let missing = |e: TableError| match e {
        TableError::Storage(e) => RedbError::from(Fault::from(e)),
        other => RedbError::Damaged(other.to_string()),
    };
    let slugs = reading.open_table(SLUGS).map_err(missing)?;
    let lives = reading.open_table(TENANTS).map_err(missing)?;
    reading.open_table(RECORDS).map_err(missing)?;
    reading.open_table(COMMITS).map_err(missing)?;
    let (mut living, mut unreadable) = (0_u64, 0_u64);
    for row in lives.iter().map_err(Fault::from)? {
        let (tenant_id, row) = row.map_err(Fault::from)?;
        match unseal(Place::Tenants, tenant_id.value(), row.value()).and_then(|(row, _)| decode(row)) {
            Ok(TenantRow::Ended) => {}
            Ok(TenantRow::Living(tenant)) => {
                living += 1;
                if slugs.get(tenant.slug.as_str().as_bytes()).map_err(Fault::from)?.is_none() {
                    return Err(RedbError::Damaged("a living tenant has lost its slug".to_owned()));
                }
            }
            // It is *corrupt* when somebody asks for it, and must not take the others with it (S10).
            Err(_) => unreadable += 1,
        }
    }
    let found = slugs.len().map_err(Fault::from)?;
    if (living..=living + unreadable).contains(&found) {
        return Ok(());
    }
    Err(RedbError::Damaged(format!("there are {found} slugs for {living} living tenants")))
}
