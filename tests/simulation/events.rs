//! The events other than messages and polls: applications start and drop operations and release tenants, processes
//! crash, and operators make backups and restore them.

use rolecall::records::TenantId;
use rolecall::{Reason, Tenant};

use crate::operations::{ENDINGS, Edit, Op, OpKind, SLUGS, USERS};
use crate::process::Process;
use crate::recovery::is_over;
use crate::runtime::Simulated;
use crate::world::{Checked, World};

impl World {
    pub(crate) fn begin_some(&mut self) {
        let process = self.chance.below(self.processes.len());
        let known: Vec<TenantId> = self.history.tenants().collect();
        let slug = self.chance.below(SLUGS.len());
        let user = self.chance.below(USERS.len());
        let handle = self.chance.below(self.processes[process].handles.len());
        let Some(tenant) = self.processes[process].handles.get(handle).map(|handle| handle.tenant.clone()) else {
            let ops = [Op::Open(slug), Op::OpenOrCreate(slug), Op::Create(slug)];
            let op = ops.into_iter().nth(self.chance.weighted(&[4, 1, 1])).unwrap();
            self.begin(process, op);
            return;
        };
        if is_over(&tenant) {
            // A closed tenant is called now and then. Usually it is dropped, or opened again.
            self.let_go(process, handle);
            if self.chance.permille(300) {
                self.begin(process, Op::OpenTenant(tenant.tenant_id()));
                return;
            }
            if self.chance.permille(700) {
                return;
            }
        }
        if self.follows && self.processes[process].runtime.is_some() && self.chance.permille(120) {
            let op = Op::Follow(self.line.clone(), 5 + self.chance.below(80));
            self.begin(process, op);
            return;
        }
        let edits = [
            Edit::Assign(user),
            Edit::Unassign(user),
            Edit::Unique,
            Edit::Nothing,
            Edit::Rename(slug),
            Edit::Delete,
            Edit::AssignExisting(user),
            Edit::AssignTwo(user, slug),
        ];
        let edit = edits[self.chance.weighted(&[8, 8, 6, 1, 2, 1, 3, 1])];
        // A tenant in doubt is closed or dropped more often, so that the commit in doubt outlives the session.
        let in_doubt = tenant.in_doubt().is_some();
        let (close, let_go) = if in_doubt { (20, 15) } else { (2, 1) };
        let op = match self.chance.weighted(&[26, 4, 8, 2, 8, 3, 2, close, let_go]) {
            0 if self.chance.permille(150) => {
                Op::Stage(tenant, edit, ENDINGS[self.chance.below(ENDINGS.len())], self.line.clone())
            }
            0 => Op::Update(tenant, edit),
            1 => return self.plan(process, &tenant, edit),
            2 => {
                let plans = &mut self.processes[process].plans;
                if plans.is_empty() {
                    return;
                }
                let (number, edit, plan, tenant) = plans.remove(0);
                self.begin_as(number, process, Op::Commit(tenant, edit, Box::new(plan)));
                return;
            }
            3 => Op::Create(slug),
            4 => Op::Refresh(tenant),
            5 => Op::Open(slug),
            6 => Op::OpenTenant(known[self.chance.below(known.len())]),
            7 => Op::Close(tenant),
            _ => {
                self.let_go(process, handle);
                return;
            }
        };
        self.begin(process, op);
    }

    /// Makes a plan that is committed later.
    fn plan(&mut self, process: usize, tenant: &Tenant, edit: Edit) {
        let number = self.ops;
        self.ops += 1;
        if let Ok(((), plan)) = tenant.plan(|tx| edit.apply(number, tx)) {
            self.trace.add(self.step, |_| format!("p{process} op-{number} plans {edit:?}"));
            self.processes[process].plans.push((number, edit, plan, tenant.clone()));
        }
    }

    /// Drops a tenant, so that it may be closed to make room.
    pub(crate) fn let_go(&mut self, process: usize, handle: usize) {
        let holds = &mut self.processes[process];
        let Some(tenant) = holds.handles.get(handle).map(|handle| handle.tenant.clone()) else { return };
        let tenant_id = tenant.tenant_id();
        if self.tasks.iter().any(|task| task.tenant.as_ref().is_some_and(|tenant| tenant.tenant_id() == tenant_id)) {
            return;
        }
        self.trace.add(self.step, |names| format!("p{process} drops {}", names.of(tenant_id.as_uuid())));
        holds.handles.remove(handle);
        holds.plans.retain(|(.., tenant)| tenant.tenant_id() != tenant_id);
        let is_dropped = tenant.in_doubt().is_some() && !is_over(&tenant);
        if is_dropped {
            self.coverage.met("an in doubt tenant that nobody holds");
        }
        // Even if it was closed before: a call may open it, see the outcome, and return another tenant, because the slug has
        // moved.
        if is_dropped || holds.handles.iter().all(|handle| handle.tenant.tenant_id() != tenant_id) {
            holds
                .commits
                .iter_mut()
                .filter(|doubt| doubt.base.tenant_id() == tenant_id)
                .for_each(|d| d.is_unwatched = true);
        }
    }

    pub(crate) fn drop_some(&mut self) -> Checked {
        let callers = self.callers();
        let index = callers[self.chance.below(callers.len())];
        if self.processes[self.tasks[index].process].runtime.is_some() {
            return self.hang_up(index);
        }
        let task = self.tasks.remove(index);
        self.trace.add(self.step, |_| format!("p{} op-{} is dropped", task.process, task.op));
        if task.has_asked {
            self.coverage.met("a future dropped after it had asked");
        }
        self.abandoned(&task);
        let process = task.process;
        drop(task);
        self.observe(process)
    }

    /// Drops the future of a caller whose process has a runtime. Nothing that anybody sees changes, except that the outcome
    /// of a staged commit is unknown.
    fn hang_up(&mut self, index: usize) -> Checked {
        let process = self.tasks[index].process;
        self.trace.add(self.step, |_| format!("p{process} op-{} hangs up", self.tasks[index].op));
        let before: Vec<_> = self.silences(process);
        self.tasks[index].hang_up();
        let is_stage = matches!(self.tasks[index].kind, OpKind::Stage(..));
        let spawned = self.processes[process].runtime.as_ref().map(Simulated::spawned).unwrap_or_default();
        self.tasks[index].add_jobs(spawned);
        if self.tasks[index].has_jobs() {
            self.coverage.met("a caller that hung up on a task");
        }
        must!(is_stage || self.silences(process) == before, "a caller hung up, and a tenant is out of service");
        self.tidy(index)?;
        self.observe(process)
    }

    /// Every caller hangs up whose process has a runtime. Nobody is left to resolve anything.
    pub(crate) fn all_hang_up(&mut self) -> Checked {
        while let Some(index) =
            self.callers().into_iter().find(|index| self.processes[self.tasks[*index].process].runtime.is_some())
        {
            self.hang_up(index)?;
        }
        Ok(())
    }

    fn silences(&self, process: usize) -> Vec<Option<Reason>> {
        self.processes[process].handles.iter().map(|handle| handle.tenant.now().unavailable()).collect()
    }

    pub(crate) fn crash(&mut self) {
        let process = self.chance.below(self.processes.len());
        self.trace.add(self.step, |_| format!("p{process} crashes and restarts"));
        self.coverage.met("a process crashed");
        self.tasks.retain(|task| task.process != process);
        let with_runtime = self.processes[process].runtime.is_some();
        self.processes[process] = Process::new(&self.line, &self.faults, with_runtime);
    }

    pub(crate) fn back_up_or_restore(&mut self) {
        if self.backups.is_empty() || self.chance.permille(600) {
            self.trace.add(self.step, |_| "a backup is made".into());
            self.backups.push((self.server.clone(), self.now()));
            return;
        }
        let (server, from) = self.backups[self.chance.below(self.backups.len())].clone();
        self.trace.add(self.step, |_| format!("the backup of step {} is restored", from.step));
        self.coverage.met("a backup restored");
        self.server = server;
        self.memory_store = None;
        let server = &self.server;
        self.history.restored(from, self.step, |tenant_id| server.head(tenant_id));
    }

    pub(crate) fn forget(&mut self) {
        let tenants: Vec<TenantId> = self.history.tenants().collect();
        let tenant_id = tenants[self.chance.below(tenants.len())];
        self.trace.add(self.step, |names| format!("the commits of {} are forgotten", names.of(tenant_id.as_uuid())));
        self.server.forget_history(tenant_id);
        self.memory_store = None;
    }

    /// Makes the store unreachable for a while.
    pub(crate) fn outage(&mut self) {
        self.faults.out_until = self.step + 10 + self.chance.below(40);
        self.coverage.met("an outage");
        self.trace.add(self.step, |_| "the store is unreachable".into());
    }
}
