//! The trace of a run, for people to read: a line for each event. Ordinals replace the ids, so the same seed gives the
//! same trace.

use std::collections::HashMap;

use rolecall::store::Base;
use uuid::Uuid;

use crate::server::Request;

/// The lines so far, if the run is traced.
pub(crate) struct Trace {
    pub(crate) lines: Option<Vec<String>>,
    names: HashMap<Uuid, usize>,
}

impl Trace {
    pub(crate) fn new(traced: bool) -> Self {
        Self { lines: traced.then(Vec::new), names: HashMap::new() }
    }

    pub(crate) fn add(&mut self, step: usize, line: impl FnOnce(&mut IdNumbers<'_>) -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{step:>4}  {}", line(&mut IdNumbers(&mut self.names))));
        }
    }
}

pub(crate) struct IdNumbers<'a>(&'a mut HashMap<Uuid, usize>);

impl IdNumbers<'_> {
    pub(crate) fn of(&mut self, id: Uuid) -> String {
        let next = self.0.len();
        format!("#{}", self.0.entry(id).or_insert(next))
    }

    pub(crate) fn request(&mut self, request: &Request) -> String {
        match request {
            Request::Find(slug) => format!("find {slug}"),
            Request::List(..) => "list".into(),
            Request::Load(tenant_id) => format!("load {}", self.of(tenant_id.as_uuid())),
            // Their order is that of a hash map, which differs from run to run.
            Request::Positions(ids) => format!("positions of {} tenants", ids.len()),
            Request::Since(at) => format!("since {} of {}", at.revision, self.of(at.tenant_id.as_uuid())),
            Request::Commit(sent) => {
                let (id, tenant_id) = (self.of(sent.id().as_uuid()), self.of(sent.base.tenant_id().as_uuid()));
                let base = match sent.base {
                    Base::Create(_) => "nothing".into(),
                    Base::At(at) => format!("{} by {}", at.revision, self.of(at.commit.as_uuid())),
                };
                let empty = if sent.changes.is_empty() { ", empty" } else { "" };
                format!("commit {id} on {base} of {tenant_id}{empty}")
            }
        }
    }
}
