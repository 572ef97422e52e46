//! Compares the crate's own memory store with the model of the store. They give the same answers until a backup is
//! restored or commits are forgotten.

use pollster::block_on;
use rolecall::store::{Commit, MemoryStore, Since, Store, StoreError};

use crate::server::{Reply, Request};
use crate::world::Checked;

/// Sends the same request to the memory store, and compares. A store may choose the order within a kind in a load.
pub(crate) fn agrees(store: &MemoryStore, request: &Request, reply: &Reply) -> Checked {
    match (request, reply) {
        (Request::Find(slug), Reply::Found(tenant_id)) => {
            must!(block_on(store.find(slug)).unwrap() == *tenant_id, "the stores find different tenants");
        }
        (Request::Load(tenant_id), Reply::Loaded(loaded)) => {
            let mut records = Vec::new();
            let at = block_on(store.load(*tenant_id, &mut records)).unwrap();
            let (wanted, all) = loaded
                .as_ref()
                .map_or((None, Vec::new()), |(at, records)| (Some(*at), records.values().cloned().collect()));
            must!(at == wanted && records == all, "the stores load different states");
        }
        (Request::Since(at), Reply::Since(since)) => {
            let found = block_on(store.since(*at)).unwrap();
            must!(found == *since || *since == Since::TooOld, "the stores return different commits");
        }
        (Request::Commit(sent), Reply::StoredCommit(_) | Reply::Failed(_)) => {
            let commit = Commit { base: sent.base, envelope: &sent.envelope, changes: &sent.changes };
            let (found, wanted) = (
                said(block_on(store.commit(commit))),
                match reply {
                    Reply::StoredCommit(revision) => revision.to_string(),
                    Reply::Failed(error) => error.to_string(),
                    _ => String::new(),
                },
            );
            must!(found == wanted, "the stores answer differently to a commit: {found}, and {wanted}");
        }
        _ => {}
    }
    Ok(())
}

fn said(answer: Result<rolecall::records::Revision, StoreError>) -> String {
    answer.map_or_else(|error| error.to_string(), |revision| revision.to_string())
}
