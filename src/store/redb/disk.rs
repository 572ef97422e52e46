//! A disk for tests. It fails on command, and a loss of power removes what was not synced.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// A clone is the same disk.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<DiskState>>);

#[derive(Default)]
struct DiskState {
    /// The bytes that reads return: everything written.
    seen: Vec<u8>,
    /// The bytes that certainly survive a loss of power.
    durable: Vec<u8>,
    /// The writes since the last sync, in order.
    pending: Vec<Write>,
    /// How many calls succeed before all fail; `None` if all succeed.
    good: Option<u32>,
    /// Whether only the first of the failing calls fails.
    once: bool,
    /// The size of the disk: writes past it fail. A file may be longer, as sparse files are.
    room: Option<usize>,
    /// The number of calls since [`Disk::fail_after`].
    calls: u32,
    syncs: u32,
    /// Whether every second sync succeeds and reports an error: the second one completes a commit.
    #[cfg(feature = "conformance")]
    loses_responses: bool,
}

#[derive(Clone)]
enum Write {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

impl Disk {
    /// Lets this many calls succeed and all later ones fail, until [`Self::mend`].
    pub(super) fn fail_after(&self, good: u32) {
        let mut state = self.state();
        (state.good, state.calls) = (Some(good), 0);
    }

    /// Lets this many calls succeed and the next one fail.
    pub(super) fn fail_once_after(&self, good: u32) {
        self.fail_after(good);
        self.state().once = true;
    }

    /// Limits the size of the disk.
    pub(super) fn fills_up(&self, room: usize) {
        self.state().room = Some(room);
    }

    /// The length of the file.
    pub(super) fn length(&self) -> usize {
        self.state().seen.len()
    }

    /// Ends all failures. Returns whether a call failed.
    pub(super) fn mend(&self) -> bool {
        let mut state = self.state();
        let failed = state.good.is_some_and(|good| state.calls > good);
        (state.good, state.once, state.room) = (None, false, None);
        #[cfg(feature = "conformance")]
        {
            state.loses_responses = false;
        }
        failed
    }

    /// From now on, commits are applied and report an error.
    #[cfg(feature = "conformance")]
    pub(super) fn lose_responses(&self) {
        let mut state = self.state();
        (state.loses_responses, state.syncs) = (true, 0);
    }

    pub(super) fn syncs(&self) -> u32 {
        self.state().syncs
    }

    /// Returns the disk after a loss of power: everything synced, and the later writes that `survives` selects.
    pub(super) fn after_power_loss(&self, mut survives: impl FnMut() -> bool) -> Self {
        let state = self.state();
        let mut found = state.durable.clone();
        state.pending.iter().filter(|_| survives()).for_each(|write| write.apply(&mut found));
        Self(Arc::new(Mutex::new(DiskState { seen: found.clone(), durable: found, ..DiskState::default() })))
    }

    fn state(&self) -> MutexGuard<'_, DiskState> {
        self.0.lock().unwrap()
    }

    fn call(&self) -> io::Result<MutexGuard<'_, DiskState>> {
        let mut state = self.state();
        state.calls += 1;
        match state.good {
            Some(good) if state.calls > good && (!state.once || state.calls == good + 1) => {
                Err(io::Error::other("the disk fails"))
            }
            _ => Ok(state),
        }
    }
}

impl Write {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Bytes(at, written) => {
                // The write that extended the file may be lost.
                bytes.resize(bytes.len().max(at + written.len()), 0);
                bytes[*at..at + written.len()].copy_from_slice(written);
            }
        }
    }
}

impl DiskState {
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
        let state = self.call()?;
        let at = usize::try_from(offset).unwrap();
        let found = state.seen.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.call()?.write(Write::Length(usize::try_from(len).unwrap()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        // As on Linux: reads still return what a failed sync did not write, but no later sync writes it.
        let called = self.call().map(|mut state| {
            state.syncs += 1;
            std::mem::take(&mut state.pending)
        });
        let mut state = self.state();
        match &called {
            Ok(pending) => pending.iter().for_each(|write| write.apply(&mut state.durable)),
            Err(_) => state.pending.clear(),
        }
        #[cfg(feature = "conformance")]
        if state.loses_responses && state.syncs.is_multiple_of(2) {
            return Err(io::Error::other("the disk's response is lost"));
        }
        called.map(drop)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (mut state, offset) = (self.call()?, usize::try_from(offset).unwrap());
        if state.room.is_some_and(|room| offset + data.len() > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.write(Write::Bytes(offset, data.to_vec()));
        Ok(())
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}
