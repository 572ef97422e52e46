//! P1 to P5, W1 to W5 and U1 to U4: the optional capabilities [`Positions`], [`Watch`] and [`UserDirectory`].

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use super::case::{CaseError, CaseResult, cases_of, ensure, expect_eq};
use super::samples::{
    added, changed, commit_on, create_tenant, delete_tenant, load_existing, suite_bug, tenant, tenant_id, user, users,
};
use super::{Clause, Fixture, Report};
use crate::model::records::{Change, Position, Record, Revision, Status, TenantId, TenantSlug, UserKey};
use crate::store::{Base, Commit, Hint, Hints, Positions, Since, Store, UserDirectory, Watch};
use crate::timer::sleep;

/// Runs the cases of the optional capability [`Positions`], each on an empty store.
///
/// ```
/// # use rolecall::store::MemoryStore;
/// # use rolecall::store::conformance::{self, Fixture, FixtureError, Task};
/// # struct InMemory;
/// # impl Fixture for InMemory {
/// #     type Store = MemoryStore;
/// #     async fn fresh(&self) -> Result<MemoryStore, FixtureError> { Ok(MemoryStore::default()) }
/// #     async fn second_connection(&self, store: &MemoryStore) -> Result<Option<MemoryStore>, FixtureError> {
/// #         Ok(Some(store.clone()))
/// #     }
/// #     async fn reopen(&self, store: MemoryStore) -> Result<Option<MemoryStore>, FixtureError> { Ok(Some(store)) }
/// #     async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> { conformance::run_on_threads(tasks) }
/// # }
/// # pollster::block_on(async {
/// let report = conformance::run_positions(&InMemory).await;
/// assert!(report.passed(), "{report}");
/// # });
/// ```
///
/// # Complexity
/// Some twenty commits.
pub async fn run_positions<F: Fixture<Store: Positions>>(fixture: &F) -> Report {
    cases_of! { fixture:
        P1: positions_are_in_the_order_of_the_ids;
        P2: a_position_is_the_latest_at_once;
        P3: a_position_names_the_commit_that_made_it;
        P4: an_unknown_or_deleted_tenant_has_no_position;
        P5: a_call_names_many_tenants;
    }
}

/// Runs the cases of the optional capability [`Watch`], each on an empty store.
///
/// If `watch` returns an error, the cases are not exercised. A case that waits for a hint gives up after
/// [`Fixture::hint_timeout`].
///
/// ```
/// # use rolecall::store::MemoryStore;
/// # use rolecall::store::conformance::{self, Fixture, FixtureError, Task};
/// # struct InMemory;
/// # impl Fixture for InMemory {
/// #     type Store = MemoryStore;
/// #     async fn fresh(&self) -> Result<MemoryStore, FixtureError> { Ok(MemoryStore::default()) }
/// #     async fn second_connection(&self, store: &MemoryStore) -> Result<Option<MemoryStore>, FixtureError> {
/// #         Ok(Some(store.clone()))
/// #     }
/// #     async fn reopen(&self, store: MemoryStore) -> Result<Option<MemoryStore>, FixtureError> { Ok(Some(store)) }
/// #     async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> { conformance::run_on_threads(tasks) }
/// # }
/// # pollster::block_on(async {
/// let report = conformance::run_watch(&InMemory).await;
/// assert!(report.passed() && report.not_exercised().count() == 0, "{report}");
/// # });
/// ```
///
/// # Complexity
/// Some three hundred small commits.
pub async fn run_watch<F: Fixture<Store: Watch>>(fixture: &F) -> Report {
    cases_of! { fixture:
        W1: a_hint_comes_after_its_revision_is_visible;
        W2: each_commit_leads_to_a_hint;
        W3: a_dropped_wait_loses_no_hint;
        W4: all_who_watch_get_all_hints;
        W5: commits_do_not_wait_for_those_who_watch;
    }
}

/// Runs the cases of the optional capability [`UserDirectory`], each on an empty store.
///
/// ```
/// # use rolecall::store::MemoryStore;
/// # use rolecall::store::conformance::{self, Fixture, FixtureError, Task};
/// # struct InMemory;
/// # impl Fixture for InMemory {
/// #     type Store = MemoryStore;
/// #     async fn fresh(&self) -> Result<MemoryStore, FixtureError> { Ok(MemoryStore::default()) }
/// #     async fn second_connection(&self, store: &MemoryStore) -> Result<Option<MemoryStore>, FixtureError> {
/// #         Ok(Some(store.clone()))
/// #     }
/// #     async fn reopen(&self, store: MemoryStore) -> Result<Option<MemoryStore>, FixtureError> { Ok(Some(store)) }
/// #     async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> { conformance::run_on_threads(tasks) }
/// # }
/// # pollster::block_on(async {
/// let report = conformance::run_user_directory(&InMemory).await;
/// assert!(report.passed(), "{report}");
/// # });
/// ```
///
/// # Complexity
/// Some forty commits.
pub async fn run_user_directory<F: Fixture<Store: UserDirectory>>(fixture: &F) -> Report {
    cases_of! { fixture:
        U1: the_tenants_of_a_user_are_found_in_order;
        U2: a_changed_user_is_found_at_once;
        U3: keys_are_compared_byte_for_byte;
        U4: pages_of_tenants_skip_nothing;
    }
}

async fn position_of(store: &impl Positions, tenant_id: TenantId) -> CaseResult<Option<Position>> {
    let found = store.positions(&[tenant_id]).await?;
    expect_eq("the number of positions", &found.len(), &1)?;
    Ok(found.into_iter().next().flatten())
}

async fn positions_are_in_the_order_of_the_ids<F: Fixture<Store: Positions>>(_: &F, store: &F::Store) -> CaseResult {
    let first = create_tenant(store, tenant_id(1), "one", &[]).await?;
    let second = create_tenant(store, tenant_id(2), "two", &users(0..2)?).await?;
    let second = commit_on(store, second, &users(2..3)?).await?;
    let ids = [tenant_id(2), tenant_id(9), tenant_id(1), tenant_id(2)];
    let expected = vec![Some(second), None, Some(first), Some(second)];
    expect_eq("the positions", &store.positions(&ids).await?, &expected)?;
    expect_eq("the positions of no tenant", &store.positions(&[]).await?, &Vec::new())
}

async fn a_position_is_the_latest_at_once<F: Fixture<Store: Positions>>(fixture: &F, store: &F::Store) -> CaseResult {
    let second = fixture.second_connection(store).await?;
    let mut at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    create_tenant(store, tenant_id(2), "other", &[]).await?;
    for number in 0..6 {
        for connection in [Some(store), second.as_ref()].into_iter().flatten() {
            expect_eq("the position", &position_of(connection, tenant_id(1)).await?, &Some(at))?;
        }
        let changes = if number % 3 == 2 { Vec::new() } else { users(number..number + 1)? };
        at = commit_on(store, at, &changes).await?;
    }
    Ok(())
}

async fn a_position_names_the_commit_that_made_it<F: Fixture<Store: Positions>>(_: &F, store: &F::Store) -> CaseResult {
    let at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    commit_on(store, at, &users(0..1)?).await?;
    let found = position_of(store, tenant_id(1)).await?;
    let found = found.ok_or_else(|| CaseError::new("found no position of an existing tenant"))?;
    expect_eq("since the position", &store.since(found).await?, &Since::Commits(Vec::new()))
}

async fn an_unknown_or_deleted_tenant_has_no_position<F: Fixture<Store: Positions>>(
    _: &F,
    store: &F::Store,
) -> CaseResult {
    expect_eq("the position of an unknown tenant", &position_of(store, tenant_id(9)).await?, &None)?;
    let at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    delete_tenant(store, at, tenant("acme")?).await?;
    expect_eq("the position of a deleted tenant", &position_of(store, tenant_id(1)).await?, &None)?;
    let base = Base::Create(tenant_id(2));
    store.commit(Commit { base, envelope: &super::samples::envelope(base), changes: &[] }).await?;
    expect_eq("the position of a tenant whose creation was prevented", &position_of(store, tenant_id(2)).await?, &None)
}

async fn a_call_names_many_tenants<F: Fixture<Store: Positions>>(_: &F, store: &F::Store) -> CaseResult {
    const UNKNOWN: usize = 70_000;
    let at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    let mut ids: Vec<_> = (0..UNKNOWN).map(|_| TenantId::random()).collect();
    ids.push(tenant_id(1));
    let found = store.positions(&ids).await?;
    expect_eq("the number of positions", &found.len(), &ids.len())?;
    expect_eq("the last position", &found.last().copied().flatten(), &Some(at))?;
    ensure(found.iter().filter(|position| position.is_some()).count() == 1, || {
        "an unknown tenant has a position".to_owned()
    })
}

/// Hints, and how long a case waits for one.
struct Watching<H> {
    hints: H,
    timeout: Duration,
}

async fn watching<F: Fixture<Store: Watch>>(
    fixture: &F,
    store: &F::Store,
) -> CaseResult<Watching<<F::Store as Watch>::Hints>> {
    let cannot = |error| CaseError::not_exercised(format!("the store cannot watch: {error}"));
    Ok(Watching { hints: store.watch().await.map_err(cannot)?, timeout: fixture.hint_timeout() })
}

impl<H: Hints> Watching<H> {
    async fn next(&mut self) -> CaseResult<Hint> {
        let (mut next, mut timeout) = (pin!(self.hints.next()), sleep(self.timeout));
        let next = poll_fn(|cx| match next.as_mut().poll(cx) {
            Poll::Ready(hint) => Poll::Ready(Some(hint)),
            Poll::Pending => Pin::new(&mut timeout).poll(cx).map(|()| None),
        });
        match next.await {
            Some(hint) => Ok(hint?),
            None => Err(CaseError::new(format!("no hint came within {:?}", self.timeout))),
        }
    }

    /// Waits for a hint that this tenant has at least this revision.
    async fn hinted(&mut self, tenant_id: TenantId, revision: Revision) -> CaseResult {
        loop {
            match self.next().await.map_err(|error| error.in_context(&format!("after revision {revision}")))? {
                Hint::Lost => return Ok(()),
                Hint::Moved { tenant_id: id, revision: at } if id == tenant_id && at >= revision => return Ok(()),
                Hint::Moved { .. } => {}
            }
        }
    }

    /// Polls the next hint once, and drops the wait.
    async fn glimpse(&mut self) -> CaseResult<Option<Hint>> {
        let mut next = pin!(self.hints.next());
        let polled = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
        Ok(match polled {
            Poll::Ready(hint) => Some(hint?),
            Poll::Pending => None,
        })
    }
}

async fn a_hint_comes_after_its_revision_is_visible<F: Fixture<Store: Watch>>(
    fixture: &F,
    store: &F::Store,
) -> CaseResult {
    let second = fixture.second_connection(store).await?;
    let mut hints = watching(fixture, second.as_ref().unwrap_or(store)).await?;
    let mut at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    for number in 0..5 {
        at = commit_on(store, at, &users(number..number + 1)?).await?;
        loop {
            let Hint::Moved { tenant_id: id, revision } = hints.next().await? else { break };
            ensure(id == tenant_id(1), || format!("a hint names tenant {id}, which no commit has touched"))?;
            let (_, visible) = load_existing(second.as_ref().unwrap_or(store), id).await?;
            ensure(revision <= visible.revision, || {
                format!("a hint names revision {revision}, and a load shows {}", visible.revision)
            })?;
            if revision == at.revision {
                break;
            }
        }
    }
    Ok(())
}

async fn each_commit_leads_to_a_hint<F: Fixture<Store: Watch>>(fixture: &F, store: &F::Store) -> CaseResult {
    let second = fixture.second_connection(store).await?;
    let second = second.as_ref().unwrap_or(store);
    let mut hints = watching(fixture, store).await?;
    let mut at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    hints.hinted(tenant_id(1), at.revision).await?;
    for (number, connection) in (0..6).zip([store, second].into_iter().cycle()) {
        // A commit without changes is one too.
        let changes = if number < 2 { Vec::new() } else { users(number..number + 1)? };
        at = commit_on(connection, at, &changes).await?;
        hints.hinted(tenant_id(1), at.revision).await?;
    }
    let other = create_tenant(second, tenant_id(2), "other", &[]).await?;
    hints.hinted(tenant_id(2), other.revision).await?;
    let deleted = delete_tenant(second, at, tenant("acme")?).await?;
    hints.hinted(tenant_id(1), deleted.revision).await
}

async fn a_dropped_wait_loses_no_hint<F: Fixture<Store: Watch>>(fixture: &F, store: &F::Store) -> CaseResult {
    let mut hints = watching(fixture, store).await?;
    let mut at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    for number in 0..20 {
        at = commit_on(store, at, &users(number..number + 1)?).await?;
        let mut was_hinted = false;
        for _ in 0..10 {
            let hint = hints.glimpse().await?;
            was_hinted |= hint == Some(Hint::Lost)
                || matches!(hint, Some(Hint::Moved { revision, .. }) if revision >= at.revision);
            if was_hinted {
                break;
            }
        }
        if !was_hinted {
            hints.hinted(tenant_id(1), at.revision).await?;
        }
    }
    Ok(())
}

async fn all_who_watch_get_all_hints<F: Fixture<Store: Watch>>(fixture: &F, store: &F::Store) -> CaseResult {
    let second = fixture.second_connection(store).await?;
    let (mut first_hints, mut hints) =
        (watching(fixture, store).await?, watching(fixture, second.as_ref().unwrap_or(store)).await?);
    let mut at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    for number in 0..4 {
        at = commit_on(store, at, &users(number..number + 1)?).await?;
        first_hints.hinted(tenant_id(1), at.revision).await?;
        hints.hinted(tenant_id(1), at.revision).await?;
    }
    drop(first_hints);
    at = commit_on(store, at, &users(9..10)?).await?;
    hints.hinted(tenant_id(1), at.revision).await
}

async fn commits_do_not_wait_for_those_who_watch<F: Fixture<Store: Watch>>(
    fixture: &F,
    store: &F::Store,
) -> CaseResult {
    const COMMITS: u128 = 200;
    let mut hints = watching(fixture, store).await?;
    let mut at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    for number in 0..COMMITS {
        at = commit_on(store, at, &users(number..number + 1)?).await?;
    }
    hints.hinted(tenant_id(1), at.revision).await
}

fn key(text: &str) -> CaseResult<UserKey> {
    UserKey::new(text).map_err(suite_bug)
}

/// The slugs of all tenants of a user.
async fn slugs_of(store: &impl UserDirectory, of: &str) -> CaseResult<Vec<String>> {
    let found = store.tenants_of_user(&key(of)?, None, 100).await?;
    Ok(found.iter().map(|tenant| tenant.slug.as_str().to_owned()).collect())
}

async fn the_tenants_of_a_user_are_found_in_order<F: Fixture<Store: UserDirectory>>(
    _: &F,
    store: &F::Store,
) -> CaseResult {
    expect_eq("the tenants of an unknown user", &slugs_of(store, "alice").await?, &Vec::new())?;
    let mut suspended = user(1, "alice")?;
    if let Record::User(user) = &mut suspended {
        user.status = Status::Suspended;
    }
    let in_slugs = [("c", 1), ("b-0", 2), ("a-long-slug", 3), ("deleted", 4), ("without", 5)];
    for (slug, number) in in_slugs {
        let alice = if number == 2 { suspended.clone() } else { user(number + 100, "alice")? };
        let records = if slug == "without" { vec![user(1, "bob")?] } else { vec![user(7, "bob")?, alice] };
        let at = create_tenant(store, tenant_id(number), slug, &added(records)).await?;
        if slug == "deleted" {
            delete_tenant(store, at, tenant(slug)?).await?;
        }
    }
    expect_eq(
        "the tenants of the user",
        &slugs_of(store, "alice").await?,
        &vec!["a-long-slug".to_owned(), "b-0".to_owned(), "c".to_owned()],
    )?;
    let found = store.tenants_of_user(&key("alice")?, None, 100).await?;
    let ids: Vec<_> = found.iter().map(|tenant| tenant.tenant_id).collect();
    expect_eq("the ids of the tenants", &ids, &vec![tenant_id(3), tenant_id(2), tenant_id(1)])
}

async fn a_changed_user_is_found_at_once<F: Fixture<Store: UserDirectory>>(
    fixture: &F,
    store: &F::Store,
) -> CaseResult {
    let second = fixture.second_connection(store).await?;
    let expect = async |what: &str, of: &str, is_there: bool| -> CaseResult {
        let expected: Vec<String> = is_there.then(|| "acme".to_owned()).into_iter().collect();
        for connection in [Some(store), second.as_ref()].into_iter().flatten() {
            expect_eq(what, &slugs_of(connection, of).await?, &expected)?;
        }
        Ok(())
    };
    let at = create_tenant(store, tenant_id(1), "acme", &[]).await?;
    expect("before the user exists", "alice", false).await?;
    let at = commit_on(store, at, &added([user(1, "alice")?, user(2, "bob")?])).await?;
    expect("after the user was created", "alice", true).await?;
    let swap = [changed(user(1, "alice")?, user(1, "bob")?)?, changed(user(2, "bob")?, user(2, "alice")?)?];
    let at = commit_on(store, at, &swap).await?;
    expect("after two users exchanged their keys", "alice", true).await?;
    expect("after two users exchanged their keys", "bob", true).await?;
    let at = commit_on(store, at, &[changed(user(2, "alice")?, user(2, "carol")?)?]).await?;
    expect("after the key was changed, by the old key", "alice", false).await?;
    expect("after the key was changed, by the new key", "carol", true).await?;
    let at = commit_on(store, at, &[Change::removed(user(2, "carol")?)]).await?;
    expect("after the user was deleted", "carol", false).await?;
    let renamed = commit_on(store, at, &[changed(tenant("acme")?, tenant("globex")?)?]).await?;
    expect_eq("after the tenant was renamed", &slugs_of(store, "bob").await?, &vec!["globex".to_owned()])?;
    delete_tenant(store, renamed, tenant("globex")?).await?;
    expect("after the tenant was deleted", "bob", false).await
}

async fn keys_are_compared_byte_for_byte<F: Fixture<Store: UserDirectory>>(_: &F, store: &F::Store) -> CaseResult {
    let keys = ["alice", "Alice", "alice ", "jos\u{e9}", "jose\u{301}", "a%", "a_"];
    for (number, text) in (1..).zip(keys) {
        let alice = added([user(number, text)?]);
        create_tenant(store, tenant_id(number), &format!("tenant-{number}"), &alice).await?;
    }
    for (number, text) in (1..).zip(keys) {
        let what = format!("the tenants of `{}`", text.escape_unicode());
        expect_eq(&what, &slugs_of(store, text).await?, &vec![format!("tenant-{number}")])?;
    }
    Ok(())
}

async fn pages_of_tenants_skip_nothing<F: Fixture<Store: UserDirectory>>(_: &F, store: &F::Store) -> CaseResult {
    let slugs: Vec<String> = (10..17).map(|number| format!("tenant-{number}")).collect();
    for (number, slug) in (1..).zip(&slugs) {
        create_tenant(store, tenant_id(number), slug, &added([user(1, "alice")?])).await?;
    }
    let alice = key("alice")?;
    for limit in [1, 3, 7, 100] {
        let (mut found, mut after): (Vec<String>, Option<TenantSlug>) = (Vec::new(), None);
        loop {
            let page = store.tenants_of_user(&alice, after.as_ref(), limit).await?;
            ensure(page.len() <= limit, || format!("a page has {} tenants, expected at most {limit}", page.len()))?;
            found.extend(page.iter().map(|tenant| tenant.slug.as_str().to_owned()));
            ensure(found.len() <= slugs.len(), || "the pages repeat tenants".to_owned())?;
            match page.last() {
                Some(last) if page.len() == limit => after = Some(last.slug.clone()),
                _ => break,
            }
        }
        expect_eq(&format!("the tenants in pages of {limit}"), &found, &slugs)?;
    }
    // No tenant needs to have the slug.
    let after = TenantSlug::new("tenant-14-and-a-half").map_err(suite_bug)?;
    let rest = store.tenants_of_user(&alice, Some(&after), 100).await?;
    expect_eq("the number of tenants after a slug that no tenant has", &rest.len(), &2)
}
