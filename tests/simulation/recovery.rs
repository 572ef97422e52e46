//! Checks that every tenant recovers in a bounded number of calls once faults have stopped. A refresh suffices. If a
//! restored backup makes it fail, a close and an opening suffice. The tenant then agrees with the store and accepts
//! changes. A slug is requested at most three times.

use rolecall::{Reason, Tenant};

use crate::operations::{Edit, Op, SLUGS, slug};
use crate::world::{Checked, World};

impl World {
    pub(crate) fn recover(&mut self) -> Checked {
        for process in 0..self.processes.len() {
            let tenants: Vec<Tenant> = self.processes[process].handles.iter().map(|h| h.tenant.clone()).collect();
            for tenant in tenants {
                self.recover_one(process, &tenant)?;
            }
            for index in 0..SLUGS.len() {
                self.recover_slug(process, index)?;
            }
        }
        Ok(())
    }

    /// Runs one call alone, and checks its answer like any other.
    fn call(&mut self, process: usize, op: Op) -> Checked {
        self.begin(process, op);
        self.until_idle()
    }

    fn recover_one(&mut self, process: usize, tenant: &Tenant) -> Checked {
        let tenant_id = tenant.tenant_id();
        if is_over(tenant) {
            return Ok(()); // it stays closed, and can be opened again
        }
        self.call(process, Op::Refresh(tenant.clone()))?;
        if tenant.now().unavailable().is_none() {
            return self.works(process, tenant);
        }
        self.call(process, Op::Close(tenant.clone()))?;
        self.call(process, Op::OpenTenant(tenant_id))?;
        if self.server.records(tenant_id).is_none() {
            return Ok(());
        }
        let handles = &self.processes[process].handles;
        let opened =
            handles.iter().rfind(|handle| handle.tenant.tenant_id() == tenant_id).map(|handle| handle.tenant.clone());
        match opened {
            Some(opened) if opened.now().unavailable().is_none() => self.works(process, &opened),
            other => {
                Err(format!("refreshed, closed and opened, and it says {:?}", other.map(|t| t.now().unavailable())))
            }
        }
    }

    /// Checks that a tenant agrees with the store and accepts a change.
    fn works(&mut self, process: usize, tenant: &Tenant) -> Checked {
        self.call(process, Op::Update(tenant.clone(), Edit::Unique))?;
        let silent = tenant.now().unavailable();
        let latest = self.server.records(tenant.tenant_id()).map(|(at, _)| at);
        match latest {
            None => must!(silent.is_some(), "its tenant has ended, and it answers"),
            Some(at) => {
                must!(silent.is_none(), "nothing is wrong any more, and it says {silent:?}");
                let found = tenant.snapshot().position();
                must!(found == at, "recovered to {}, and the store is at {}", found.revision, at.revision);
            }
        }
        Ok(())
    }

    /// Recovers the tenant with a slug. An open tenant is found in memory and may have been deleted elsewhere, as its
    /// refresh reports. The slug then belongs to another tenant, which may need the same.
    fn recover_slug(&mut self, process: usize, index: usize) -> Checked {
        for _ in 0..2 {
            self.call(process, Op::OpenOrCreate(index))?;
            let tenant = match self.bearer(process, index) {
                Some(tenant) => tenant,
                None => self.by_tenant_id(process, index)?,
            };
            self.recover_one(process, &tenant)?;
        }
        self.call(process, Op::OpenOrCreate(index))?;
        let answers = self.bearer(process, index).is_some_and(|tenant| tenant.now().unavailable().is_none());
        must!(answers && self.server.bearer(&slug(index)).is_some(), "{} does not come back", SLUGS[index]);
        Ok(())
    }

    /// Finds by its id a tenant that is open under another slug and out of service.
    fn by_tenant_id(&mut self, process: usize, index: usize) -> Result<Tenant, String> {
        let Some(tenant_id) = self.server.bearer(&slug(index)) else { return Err("no tenant, and not created".into()) };
        self.call(process, Op::OpenTenant(tenant_id))?;
        let opened = self.processes[process].handles.iter().rfind(|handle| handle.tenant.tenant_id() == tenant_id);
        opened.map(|handle| handle.tenant.clone()).ok_or("a tenant that the store has does not open".into())
    }

    fn bearer(&self, process: usize, index: usize) -> Option<Tenant> {
        let handles = self.processes[process].handles.iter().rev().filter(|handle| !is_over(&handle.tenant));
        handles
            .map(|handle| handle.tenant.clone())
            .find(|tenant| tenant.slug().is_some_and(|slug| slug == SLUGS[index]))
    }
}

pub(crate) fn is_over(tenant: &Tenant) -> bool {
    matches!(tenant.now().unavailable(), Some(Reason::Closed | Reason::Deleted))
}
