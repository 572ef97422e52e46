//! A disk for tests: it fails when told to, and forgets what was not synchronised when the power goes.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// A clone is the same disk.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<Platters>>);

#[derive(Default)]
struct Platters {
    /// What is read: everything that was written.
    seen: Vec<u8>,
    /// What a loss of power leaves for certain.
    durable: Vec<u8>,
    /// What was written since, in order: a length, or bytes at a place.
    pending: Vec<Write>,
    /// How many calls go well before all fail; none: all go well.
    good: Option<u32>,
    /// Whether only the first of those fails.
    once: bool,
    /// Where the disk is full: behind this nothing can be written. A file may be longer, as sparse files are.
    room: Option<usize>,
    /// How many calls there were since [`Disk::fail_after`].
    calls: u32,
    syncs: u32,
    /// Every second synchronisation is done, and reported as failed: the second one is what completes a commit.
    #[cfg(feature = "conformance")]
    loses_answers: bool,
}

#[derive(Clone)]
enum Write {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

impl Disk {
    /// After so many calls all fail, until [`Self::mend`].
    pub(super) fn fail_after(&self, good: u32) {
        let mut platters = self.platters();
        (platters.good, platters.calls) = (Some(good), 0);
    }

    /// After so many calls one fails.
    pub(super) fn fail_once_after(&self, good: u32) {
        self.fail_after(good);
        self.platters().once = true;
    }

    /// From now on there is this much room.
    pub(super) fn fills_up(&self, room: usize) {
        self.platters().room = Some(room);
    }

    /// How long the file is.
    pub(super) fn length(&self) -> usize {
        self.platters().seen.len()
    }

    /// All goes well again. Tells whether a call had failed.
    pub(super) fn mend(&self) -> bool {
        let mut platters = self.platters();
        let failed = platters.good.is_some_and(|good| platters.calls > good);
        (platters.good, platters.once, platters.room) = (None, false, None);
        #[cfg(feature = "conformance")]
        {
            platters.loses_answers = false;
        }
        failed
    }

    /// From now on, a commit lands and nobody hears of it.
    #[cfg(feature = "conformance")]
    pub(super) fn lose_answers(&self) {
        let mut platters = self.platters();
        (platters.loses_answers, platters.syncs) = (true, 0);
    }

    pub(super) fn syncs(&self) -> u32 {
        self.platters().syncs
    }

    /// What another machine finds after the power was lost: what was synchronised, and of what was written since, the
    /// writes that are chosen.
    pub(super) fn after_power_loss(&self, mut survives: impl FnMut() -> bool) -> Self {
        let platters = self.platters();
        let mut found = platters.durable.clone();
        platters.pending.iter().filter(|_| survives()).for_each(|write| write.apply(&mut found));
        Self(Arc::new(Mutex::new(Platters { seen: found.clone(), durable: found, ..Platters::default() })))
    }

    fn platters(&self) -> MutexGuard<'_, Platters> {
        self.0.lock().unwrap()
    }

    fn call(&self) -> io::Result<MutexGuard<'_, Platters>> {
        let mut platters = self.platters();
        platters.calls += 1;
        match platters.good {
            Some(good) if platters.calls > good && (!platters.once || platters.calls == good + 1) => {
                Err(io::Error::other("the disk fails"))
            }
            _ => Ok(platters),
        }
    }
}

impl Write {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Bytes(at, written) => {
                // Its growth may have been lost.
                bytes.resize(bytes.len().max(at + written.len()), 0);
                bytes[*at..at + written.len()].copy_from_slice(written);
            }
        }
    }
}

impl Platters {
    fn write(&mut self, write: Write) {
        write.apply(&mut self.seen);
        self.pending.push(write);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.call()?.seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platters = self.call()?;
        let at = usize::try_from(offset).unwrap();
        let found = platters.seen.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.call()?.write(Write::Length(usize::try_from(len).unwrap()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        // What a failed call should have made durable is lost for good, though it is still read: that is what Linux does.
        // A later call makes durable only what was written since.
        let called = self.call().map(|mut platters| {
            platters.syncs += 1;
            std::mem::take(&mut platters.pending)
        });
        let mut platters = self.platters();
        match &called {
            Ok(pending) => pending.iter().for_each(|write| write.apply(&mut platters.durable)),
            Err(_) => platters.pending.clear(),
        }
        #[cfg(feature = "conformance")]
        if platters.loses_answers && platters.syncs.is_multiple_of(2) {
            return Err(io::Error::other("the answer of the disk is lost"));
        }
        called.map(drop)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (mut platters, offset) = (self.call()?, usize::try_from(offset).unwrap());
        if platters.room.is_some_and(|room| offset + data.len() > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        platters.write(Write::Bytes(offset, data.to_vec()));
        Ok(())
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}
